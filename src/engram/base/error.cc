#include "engram/base/error.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <vector>

#include "absl/strings/cord.h"

namespace engram {
namespace {

constexpr char kDetailUrl[] = "engram/error-detail";

using absl::StatusCode;

constexpr std::array<ErrorInfo, kErrorCodeCount> kTable = {{
    {ErrorCode::kUnspecified, "UNSPECIFIED", StatusCode::kUnknown, RetryClass::kFatal, false,
     "Look at the node's log."},
    {ErrorCode::kInvalidArgument, "INVALID_ARGUMENT", StatusCode::kInvalidArgument,
     RetryClass::kFatal, false, "Correct the named field and send the request again."},
    {ErrorCode::kNotFound, "NOT_FOUND", StatusCode::kNotFound, RetryClass::kFatal, false,
     "Check the id; `engram recall` finds memories by their content, `engram nodes` lists nodes."},
    {ErrorCode::kNoAssignment, "NO_ASSIGNMENT", StatusCode::kNotFound, RetryClass::kLookUp, false,
     "Check the space's name with `engram spaces`; storing into a space creates it."},
    {ErrorCode::kNoLocalData, "NO_LOCAL_DATA", StatusCode::kUnavailable, RetryClass::kRetriable,
     false,
     "The node does not hold this space, or is cut off from those that do: ask one of them "
     "(`engram "
     "route NAME`), or try again later."},
    {ErrorCode::kInvalidEndpoint, "INVALID_ENDPOINT", StatusCode::kFailedPrecondition,
     RetryClass::kFatal, false,
     "Correct the node's address in the configuration; it must be one that others can dial."},
    {ErrorCode::kConnectionFailed, "CONNECTION_FAILED", StatusCode::kUnavailable,
     RetryClass::kRetriable, true,
     "Check with `engram nodes` whether the node runs and can be reached."},
    {ErrorCode::kCircuitBreakerOpen, "CIRCUIT_BREAKER_OPEN", StatusCode::kUnavailable,
     RetryClass::kRetriable, false,
     "See with `engram nodes` whether the space's nodes run; try again after the given time."},
    {ErrorCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", StatusCode::kDeadlineExceeded,
     RetryClass::kUndetermined, true,
     "See with `engram status` which node does not answer, or allow more time. A write may have "
     "been "
     "carried out; with the same request id it has one effect."},
    {ErrorCode::kAllReplicasFailed, "ALL_REPLICAS_FAILED", StatusCode::kUnavailable,
     RetryClass::kFatal, false,
     "No holder of the space could be reached; check `engram nodes` and try again."},
    {ErrorCode::kWrongNode, "WRONG_NODE", StatusCode::kFailedPrecondition, RetryClass::kRedirect,
     false, "Ask the node that owns the space; clients never see this."},
    {ErrorCode::kOverloaded, "OVERLOADED", StatusCode::kResourceExhausted, RetryClass::kRetriable,
     true, "The node is busy; try again after the given time."},
    {ErrorCode::kUndetermined, "UNDETERMINED", StatusCode::kUnavailable, RetryClass::kUndetermined,
     true, "The write may have been carried out; send it again with the same request id."},
    {ErrorCode::kInternal, "INTERNAL", StatusCode::kInternal, RetryClass::kFatal, false,
     "This is a bug or a damaged file; look at the node's log."},
    {ErrorCode::kCancelled, "CANCELLED", StatusCode::kCancelled, RetryClass::kFatal, false,
     "The caller gave up; nothing to do."},
    {ErrorCode::kStorageFailed, "STORAGE_FAILED", StatusCode::kInternal, RetryClass::kFatal, false,
     "The node's disk refused the write; free space or replace the disk, then restart the node."},
    {ErrorCode::kShuttingDown, "SHUTTING_DOWN", StatusCode::kUnavailable, RetryClass::kRetriable,
     false, "The node is stopping; ask another one."},
    {ErrorCode::kUnimplemented, "UNIMPLEMENTED", StatusCode::kUnimplemented, RetryClass::kFatal,
     false, "The node does not know this call; check the client's and the node's versions."},
}};

constexpr bool InOrder() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].code) != i) return false;
  }
  return true;
}
static_assert(InOrder(), "InfoOf indexes the table by code");

// The detail travels inside the status as fields separated by NUL, which no name or message field
// may hold.
absl::Cord Pack(const ErrorDetail& d) {
  std::string packed = fmt::format("{}", static_cast<int>(d.code));
  for (const std::string& s :
       {d.field, d.space, d.node, fmt::format("{}", d.retry_after.count())}) {
    packed += '\0';
    packed += s;
  }
  return absl::Cord(packed);
}

std::vector<std::string> SplitAtNul(const std::string& packed) {
  std::vector<std::string> parts(1);
  for (char c : packed) {
    if (c == '\0') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

ErrorCode Deduce(absl::StatusCode grpc) {
  switch (grpc) {
    case StatusCode::kOk:
      return ErrorCode::kUnspecified;
    case StatusCode::kInvalidArgument:
    case StatusCode::kOutOfRange:
      return ErrorCode::kInvalidArgument;
    case StatusCode::kNotFound:
      return ErrorCode::kNotFound;
    case StatusCode::kDeadlineExceeded:
      return ErrorCode::kDeadlineExceeded;
    case StatusCode::kResourceExhausted:
      return ErrorCode::kOverloaded;
    case StatusCode::kUnavailable:
      return ErrorCode::kUndetermined;
    case StatusCode::kCancelled:
      return ErrorCode::kCancelled;
    case StatusCode::kUnimplemented:
      return ErrorCode::kUnimplemented;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

const ErrorInfo& InfoOf(ErrorCode code) { return kTable[static_cast<size_t>(code)]; }

absl::Status MakeError(const ErrorDetail& detail, std::string_view message) {
  absl::Status status(InfoOf(detail.code).grpc, absl::string_view(message.data(), message.size()));
  status.SetPayload(kDetailUrl, Pack(detail));
  return status;
}

absl::Status MakeError(ErrorCode code, std::string_view message) {
  ErrorDetail detail;
  detail.code = code;
  return MakeError(detail, message);
}

absl::Status InvalidArgument(std::string_view field, std::string_view message) {
  ErrorDetail detail;
  detail.code = ErrorCode::kInvalidArgument;
  detail.field = field;
  return MakeError(detail, message);
}

ErrorDetail DetailOf(const absl::Status& status) {
  ErrorDetail detail;
  auto payload = status.GetPayload(kDetailUrl);
  if (!payload.has_value()) {
    detail.code = Deduce(status.code());
    return detail;
  }
  std::vector<std::string> parts = SplitAtNul(std::string(*payload));
  parts.resize(5);
  detail.code = static_cast<ErrorCode>(std::atoi(parts[0].c_str()));
  detail.field = parts[1];
  detail.space = parts[2];
  detail.node = parts[3];
  detail.retry_after = Duration(std::atoll(parts[4].c_str()));
  return detail;
}

ErrorCode CodeOf(const absl::Status& status) { return DetailOf(status).code; }

}  // namespace engram
