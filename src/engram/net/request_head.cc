#include "engram/net/request_head.h"

#include <fmt/format.h>

#include "engram/base/error.h"
#include "engram/net/grpc_timeout.h"
#include "engram/net/metadata_wire.h"

namespace engram::net::internal {

namespace {

Encoding EncodingOf(std::string_view value) {
  if (value == "gzip") return Encoding::kGzip;
  return value == "identity" ? Encoding::kIdentity : Encoding::kOther;
}

}  // namespace

bool IsGrpcContentType(std::string_view value) {
  constexpr std::string_view kGrpc = "application/grpc";
  if (!value.starts_with(kGrpc)) return false;
  return value.size() == kGrpc.size() || value[kGrpc.size()] == '+' || value[kGrpc.size()] == ';';
}

void RequestHead::Add(std::string_view name, std::string_view value) {
  header_bytes_ += name.size() + value.size();
  if (too_large()) return;  // nothing more is kept
  if (IsReservedHeader(name)) {
    AddReserved(name, value);
  } else {
    AddMetadata(name, value);
  }
}

void RequestHead::AddReserved(std::string_view name, std::string_view value) {
  if (name == ":path") {
    method_ = methods_.Find(value);
    if (method_ != nullptr) return;
    unknown_path_ = value;
    method_ = methods_.fallback();
  } else if (name == ":method") {
    is_post_ = value == "POST";
  } else if (name == "content-type") {
    is_grpc_ = IsGrpcContentType(value);
  } else if (name == "grpc-timeout") {
    AddTimeout(value);
  } else if (name == "grpc-encoding") {
    encoding_ = encoding_ == Encoding::kUnnamed ? EncodingOf(value) : Encoding::kOther;
  }
}

// Two headers of one name are one whose values a comma parts, which is no time-out, and no encoding
// either (RFC 9110, 5.3).
void RequestHead::AddTimeout(std::string_view value) {
  const std::optional<Duration> timeout = ParseTimeout(value);
  if (!timeout.has_value() || has_timeout_) bad_timeout_ = true;
  has_timeout_ = true;
  timeout_ = timeout.value_or(Duration::max());
}

void RequestHead::AddMetadata(std::string_view name, std::string_view value) {
  metadata_bytes_ += name.size() + value.size();
  if (metadata_too_large()) return;
  if (!AddReceived(name, value, metadata_)) bad_base64_ = true;
}

int RequestHead::HttpStatus() const {
  // What was cut off for its size is answered as gRPC: the headers that would tell may be among
  // what was not kept.
  if (too_large()) return 200;
  if (!is_post_) return 405;
  return is_grpc_ ? 200 : 415;
}

absl::Status RequestHead::Verdict() const {
  if (header_bytes_ > limits_.header_bytes_max) {
    return MakeError(
        ErrorCode::kOverloaded,
        fmt::format("the request's headers have more than {} bytes", limits_.header_bytes_max));
  }
  if (metadata_too_large()) {
    return InvalidArgument(
        "metadata", fmt::format("the metadata has more than {} bytes", limits_.metadata_bytes_max));
  }
  if (method_ == nullptr) {
    return MakeError(ErrorCode::kUnimplemented, fmt::format("unknown method {}", unknown_path_));
  }
  if (encoding_ == Encoding::kOther) {
    return MakeError(ErrorCode::kUnimplemented,
                     fmt::format("grpc-encoding is none of {}", kAcceptedEncodings));
  }
  if (bad_timeout_) return InvalidArgument("grpc-timeout", "the time-out is malformed");
  if (bad_base64_) return InvalidArgument("metadata", "a binary value is not base64");
  return absl::OkStatus();
}

}  // namespace engram::net::internal
