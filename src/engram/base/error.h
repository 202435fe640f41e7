// Typed errors (SPEC R15). An error is an absl::Status that carries an ErrorDetail; this file and
// its table are the only place that knows which code maps to which gRPC status, whether it may be
// tried again, and what to tell a person.
//
// Everything here is pure and thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engram/base/time.h"

namespace engram {

// Numbers are those of engram.v1.ErrorCode (proto/engram/v1/error.proto); a test holds the two
// against each other.
enum class ErrorCode : uint8_t {
  kUnspecified = 0,
  kInvalidArgument = 1,
  kNotFound = 2,
  kNoAssignment = 3,
  kNoLocalData = 4,
  kInvalidEndpoint = 5,
  kConnectionFailed = 6,
  kCircuitBreakerOpen = 7,
  kDeadlineExceeded = 8,
  kAllReplicasFailed = 9,
  kWrongNode = 10,
  kOverloaded = 11,
  kUndetermined = 12,
  kInternal = 13,
  kCancelled = 14,
  kStorageFailed = 15,
  kShuttingDown = 16,
  kUnimplemented = 17,
};
inline constexpr int kErrorCodeCount = 18;

// What the attempt machine does about an error of one node (SPEC R6).
enum class RetryClass : uint8_t {
  kFatal,         // the request itself is at fault, or nothing helps: end at once
  kRetriable,     // the node did not do it: try again, or elsewhere
  kRedirect,      // the node says who does: go there at once
  kLookUp,        // the node knows nobody who does: ask all
  kUndetermined,  // the node may have done it: try again only under the same request id
};

struct ErrorInfo {
  ErrorCode code;
  std::string_view name;  // e.g. "NO_ASSIGNMENT": in JSON, in logs, in docs/ERRORS.md
  absl::StatusCode grpc;
  RetryClass retry;
  bool held_against_node;  // counts for its circuit breaker (SPEC R9)
  std::string_view next;   // one sentence for a person: what to do now
};

// REQUIRES: `code` is one of the enumerators.
const ErrorInfo& InfoOf(ErrorCode code);

// The machine-readable half of an error. Empty strings and zero mean "not known".
struct ErrorDetail {
  ErrorCode code = ErrorCode::kUnspecified;
  std::string field;
  std::string space;
  std::string node;
  Duration retry_after{};
};

// A status of InfoOf(detail.code).grpc with `detail` attached. REQUIRES: detail.code !=
// kUnspecified.
[[nodiscard]] absl::Status MakeError(const ErrorDetail& detail, std::string_view message);

// Shorthands for the commonest.
[[nodiscard]] absl::Status InvalidArgument(std::string_view field, std::string_view message);
[[nodiscard]] absl::Status MakeError(ErrorCode code, std::string_view message);

// The detail attached to `status`; for a status without one, a detail whose code is deduced from
// the gRPC code. For OK, code is kUnspecified.
ErrorDetail DetailOf(const absl::Status& status);

// DetailOf(status).code, cheaper.
ErrorCode CodeOf(const absl::Status& status);

}  // namespace engram
