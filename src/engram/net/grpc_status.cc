#include "engram/net/grpc_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "absl/strings/cord.h"
#include "engram/base/error.h"
#include "engram/net/utf8_text.h"
#include "engram/v1/common.pb.h"
#include "engram/v1/error.pb.h"

namespace engram::net {
namespace {

using internal::ToValidUtf8;

constexpr char kDetailType[] = "type.googleapis.com/engram.v1.ErrorDetail";

bool IsPlain(char c) { return c >= ' ' && c <= '~' && c != '%'; }

bool HasPayload(const absl::Status& status) {
  bool found = false;
  status.ForEachPayload([&](absl::string_view, const absl::Cord&) { found = true; });
  return found;
}

template <class Message>
std::optional<Message> PayloadOf(const absl::Status& status, const char* url) {
  auto payload = status.GetPayload(url);
  Message message;
  if (!payload.has_value() || !message.ParseFromString(std::string(*payload))) return std::nullopt;
  return message;
}

v1::ErrorDetail ToProto(const absl::Status& status) {
  const ErrorDetail detail = DetailOf(status);
  v1::ErrorDetail proto;
  proto.set_code(static_cast<v1::ErrorCode>(detail.code));
  proto.set_field(ToValidUtf8(detail.field));
  proto.set_space(ToValidUtf8(detail.space));
  proto.set_node(ToValidUtf8(detail.node));
  if (detail.retry_after > Duration::zero()) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(detail.retry_after);
    proto.mutable_retry_after()->set_seconds(seconds.count());
    proto.mutable_retry_after()->set_nanos(
        static_cast<int32_t>((detail.retry_after - seconds).count()));
  }
  if (auto assignment = PayloadOf<v1::Assignment>(status, kAssignmentPayload)) {
    *proto.mutable_assignment() = *std::move(assignment);
  }
  if (auto trace = PayloadOf<v1::RouteTrace>(status, kAttemptsPayload)) {
    *proto.mutable_attempts() = std::move(*trace->mutable_attempts());
  }
  return proto;
}

// A peer's text, without the NULs that ErrorDetail must not hold.
std::string Clean(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), '\0'), text.end());
  return text;
}

Duration RetryAfterOf(const v1::ErrorDetail& proto) {
  constexpr int64_t kSecondsMax = 24 * 3600;  // a peer's number must not overflow ours
  const int64_t seconds = std::clamp<int64_t>(proto.retry_after().seconds(), 0, kSecondsMax);
  const int32_t nanos = std::clamp(proto.retry_after().nanos(), 0, 999'999'999);
  return std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanos);
}

ErrorDetail FromProto(const v1::ErrorDetail& proto) {
  ErrorDetail detail;
  detail.code = static_cast<ErrorCode>(proto.code());
  detail.field = Clean(proto.field());
  detail.space = Clean(proto.space());
  detail.node = Clean(proto.node());
  detail.retry_after = RetryAfterOf(proto);
  return detail;
}

void CopyPayloads(const absl::Status& from, absl::Status& to) {
  from.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { to.SetPayload(url, payload); });
}

bool IsKnown(const v1::ErrorDetail& proto) {
  return proto.code() > 0 && proto.code() < kErrorCodeCount;
}

void Attach(v1::ErrorDetail proto, absl::Status& status) {
  if (IsKnown(proto)) {
    // The number in grpc-status rules, so only the payload of the made status is wanted.
    CopyPayloads(MakeError(FromProto(proto), ""), status);
  }
  if (proto.has_assignment()) {
    status.SetPayload(kAssignmentPayload, absl::Cord(proto.assignment().SerializeAsString()));
  }
  if (proto.attempts_size() > 0) {
    v1::RouteTrace trace;
    *trace.mutable_attempts() = std::move(*proto.mutable_attempts());
    status.SetPayload(kAttemptsPayload, absl::Cord(trace.SerializeAsString()));
  }
}

// False: there is more in them, or other things, than a status of ours has.
bool AttachDetails(std::string_view details, absl::Status& status) {
  v1::StatusDetails parsed;
  if (!parsed.ParseFromArray(details.data(), static_cast<int>(details.size()))) return false;
  for (const auto& any : parsed.details()) {
    v1::ErrorDetail proto;
    if (any.type_url() != kDetailType || !proto.ParseFromString(any.value())) continue;
    const bool whole = parsed.details_size() == 1 && IsKnown(proto);
    Attach(std::move(proto), status);
    return whole;
  }
  return false;
}

}  // namespace

std::string PercentEncode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (IsPlain(c)) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr ==
            text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string EncodeDetails(const absl::Status& status) {
  if (status.ok() || !HasPayload(status)) return {};
  if (auto foreign = status.GetPayload(kForeignDetailsPayload); foreign.has_value()) {
    return std::string(*foreign);
  }
  v1::StatusDetails details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(
      ToValidUtf8(std::string_view(status.message().data(), status.message().size())));
  auto* any = details.add_details();
  any->set_type_url(kDetailType);
  ToProto(status).SerializeToString(any->mutable_value());
  return details.SerializeAsString();
}

absl::Status DecodeStatus(int code, std::string_view message, std::string_view details) {
  if (code == 0) return absl::OkStatus();
  const bool known = code > 0 && code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  absl::Status status(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
                      absl::string_view(message.data(), message.size()));
  if (!details.empty() && !AttachDetails(details, status)) {
    status.SetPayload(kForeignDetailsPayload,
                      absl::Cord(absl::string_view(details.data(), details.size())));
  }
  return status;
}

}  // namespace engram::net
