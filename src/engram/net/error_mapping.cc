// How the end of a stream that brought no grpc-status reads as a status.
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include "engram/base/error.h"
#include "engram/net/grpc_status.h"

namespace engram::net {
namespace {

absl::Status Plain(absl::StatusCode code, const std::string& message) {
  return absl::Status(code, message);
}

}  // namespace

absl::Status StatusOfHttp(int http_status) {
  const std::string message =
      fmt::format("the peer answered HTTP {} without grpc-status", http_status);
  switch (http_status) {
    case 400:
      return MakeError(ErrorCode::kInternal, message);
    case 401:
      return Plain(absl::StatusCode::kUnauthenticated, message);
    case 403:
      return Plain(absl::StatusCode::kPermissionDenied, message);
    case 404:
      return MakeError(ErrorCode::kUnimplemented, message);
    case 429:
    case 502:
    case 503:
    case 504:
      return MakeError(ErrorCode::kUndetermined, message);
    default:
      return Plain(absl::StatusCode::kUnknown, message);
  }
}

absl::Status StatusOfStreamError(uint32_t http2_error) {
  const std::string message =
      fmt::format("the peer reset the call ({})", nghttp2_http2_strerror(http2_error));
  switch (http2_error) {
    case NGHTTP2_REFUSED_STREAM:
      return MakeError(ErrorCode::kShuttingDown, message);
    case NGHTTP2_CANCEL:
      return MakeError(ErrorCode::kCancelled, message);
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return MakeError(ErrorCode::kOverloaded, message);
    case NGHTTP2_INADEQUATE_SECURITY:
      return Plain(absl::StatusCode::kPermissionDenied, message);
    default:
      return MakeError(ErrorCode::kInternal, message);
  }
}

}  // namespace engram::net
