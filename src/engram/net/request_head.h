// Reads the header list of one request and says what is wrong with it, if anything.
//
// A pure machine: Add() each header, then ask Verdict(). Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engram/base/time.h"
#include "engram/net/metadata.h"
#include "engram/net/method_table.h"

namespace engram::net::internal {

struct HeadLimits {
  size_t header_bytes_max;    // names and values of the whole list
  size_t metadata_bytes_max;  // of what is shown to the handler
};

// What the request's messages may be compressed with.
enum class Encoding : uint8_t { kUnnamed, kIdentity, kGzip, kOther };

// What Encoding covers, for `grpc-accept-encoding`.
inline constexpr char kAcceptedEncodings[] = "identity,gzip";

class RequestHead {
 public:
  RequestHead(MethodTable& methods, HeadLimits limits) : methods_(methods), limits_(limits) {}

  void Add(std::string_view name, std::string_view value);

  // After the last header: 200 when it is gRPC, or the status of a plain HTTP answer (405, 415).
  int HttpStatus() const;
  // OK, or the error to answer with. REQUIRES: HttpStatus() == 200.
  absl::Status Verdict() const;
  // True when a bound of HeadLimits was hit.
  bool too_large() const {
    return header_bytes_ > limits_.header_bytes_max || metadata_too_large();
  }

  Method* method() const { return method_; }
  // REQUIRES: Verdict() is OK.
  std::string_view path() const { return unknown_path_.empty() ? method_->path : unknown_path_; }
  Duration timeout() const { return timeout_; }  // Duration::max(): none
  Encoding encoding() const { return encoding_; }
  const Metadata& metadata() const { return metadata_; }

 private:
  void AddReserved(std::string_view name, std::string_view value);
  void AddTimeout(std::string_view value);
  void AddMetadata(std::string_view name, std::string_view value);
  bool metadata_too_large() const { return metadata_bytes_ > limits_.metadata_bytes_max; }

  MethodTable& methods_;
  const HeadLimits limits_;
  Method* method_ = nullptr;
  Metadata metadata_;
  std::string unknown_path_;
  Duration timeout_ = Duration::max();
  size_t header_bytes_ = 0;
  size_t metadata_bytes_ = 0;
  bool is_post_ = false;
  bool is_grpc_ = false;
  Encoding encoding_ = Encoding::kUnnamed;
  bool has_timeout_ = false;
  bool bad_timeout_ = false;
  bool bad_base64_ = false;
};

// "application/grpc", alone or followed by '+' or ';'.
bool IsGrpcContentType(std::string_view value);

}  // namespace engram::net::internal
