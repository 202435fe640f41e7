// The payloads of grpc.testing: so many zeros.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "engram/base/error.h"
#include "grpc/testing/messages.pb.h"

namespace engram::interop {

inline constexpr int32_t kPayloadBytesMax =
    (4 << 20) - 64;  // so that the message has 4 MiB at most

inline grpc::testing::Payload Zeros(int32_t size) {
  grpc::testing::Payload payload;
  payload.set_body(std::string(static_cast<size_t>(size), '\0'));
  return payload;
}

[[nodiscard]] inline absl::Status CheckSize(int32_t size) {
  if (size >= 0 && size <= kPayloadBytesMax) return absl::OkStatus();
  return InvalidArgument("size", "a response has 0 bytes to a little less than 4 MiB");
}

// What the request wants the call to end with; the code is that of the wire.
inline absl::Status StatusOf(const grpc::testing::EchoStatus& wanted) {
  return absl::Status(static_cast<absl::StatusCode>(wanted.code()), wanted.message());
}

}  // namespace engram::interop
