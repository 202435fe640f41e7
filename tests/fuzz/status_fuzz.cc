// What a peer says about the end of a call: grpc-status, grpc-message and grpc-status-details-bin
// become a Status.
//
// Input: the code's byte, then the details. A status made from them is the same after another trip
// over the wire.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engram/base/error.h"
#include "engram/net/grpc_status.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const int code = int{data[0]} - 128;
  const std::string_view details(reinterpret_cast<const char*>(data + 1), size - 1);
  const absl::Status status = engram::net::DecodeStatus(code, "message", details);
  if (status.ok() != (code == 0)) std::abort();
  if (engram::net::StatusOfHttp(code).ok()) std::abort();
  if (engram::net::StatusOfStreamError(static_cast<uint32_t>(code)).ok()) std::abort();
  if (status.ok()) return 0;
  const std::string again = engram::net::EncodeDetails(status);
  const absl::Status twice =
      engram::net::DecodeStatus(static_cast<int>(status.code()), "message", again);
  if (engram::net::EncodeDetails(twice) != again) std::abort();
  return 0;
}
