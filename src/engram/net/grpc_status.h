// absl::Status <-> what gRPC sends at the end of a call: grpc-status, grpc-message,
// grpc-status-details-bin.
//
// The details are an engram.v1.StatusDetails (wire-compatible with google.rpc.Status) with one
// engram.v1.ErrorDetail, made from the ErrorDetail of base/error.h and the two payloads below. Pure
// functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace engram::net {

// Payloads a status may carry besides its ErrorDetail, as serialized protobuf messages.
inline constexpr char kAssignmentPayload[] = "engram/assignment";  // engram.v1.Assignment
inline constexpr char kAttemptsPayload[] = "engram/attempts";      // engram.v1.RouteTrace
// The details of a server that is not ours, or is newer than we: bytes as they came, and as they
// are sent when the status is passed on.
inline constexpr char kForeignDetailsPayload[] = "engram/foreign-details";

// Values of grpc-message: everything but printable ASCII, and '%', becomes %XX. Decoding leaves
// what is malformed as it is.
std::string PercentEncode(std::string_view text);
std::string PercentDecode(std::string_view text);

// The raw value of grpc-status-details-bin; empty for a status without payloads.
std::string EncodeDetails(const absl::Status& status);

// The inverse: `code` is the number in grpc-status, `message` the decoded grpc-message, `details`
// the raw value (or ""). Details that are not one ErrorDetail become kForeignDetailsPayload,
// numbers that gRPC does not define UNKNOWN.
absl::Status DecodeStatus(int code, std::string_view message, std::string_view details);

// What gRPC makes of a reply without grpc-status ("HTTP to gRPC Status Code Mapping") and of a
// stream error
// ("HTTP2 Transport Mapping"). `http2_error` is the code of RST_STREAM.
absl::Status StatusOfHttp(int http_status);
absl::Status StatusOfStreamError(uint32_t http2_error);

}  // namespace engram::net
