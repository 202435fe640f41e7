#include "engram/server/request_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "engram/server/metadata_names.h"

namespace engram::server {
namespace {

absl::StatusOr<RequestId> ParseRequestId(std::string_view text) {
  if (std::optional<RequestId> id = RequestId::Parse(text); id.has_value() && !id->is_zero())
    return *id;
  return InvalidArgument(
      kMdRequestId, fmt::format("{} must be a ULID (26 characters), not '{}'", kMdRequestId, text));
}

}  // namespace

absl::StatusOr<RequestId> RequestIdFrom(const net::Metadata& metadata, LoopState& loop) {
  if (auto text = metadata.Find(kMdRequestId)) return ParseRequestId(*text);
  return RequestId::Make(WallNow(), loop.random);
}

absl::StatusOr<memory::WriteIdentity> IdentityFrom(const net::Metadata& metadata, bool is_write) {
  memory::WriteIdentity identity;
  if (!is_write) return identity;
  auto id = ParseRequestId(metadata.Find(kMdRequestId).value_or(""));
  if (!id.ok()) return id.status();
  identity.request_id = *id;
  std::string_view line = metadata.Find(kMdLine).value_or("0");
  auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), identity.line);
  if (error != std::errc() || end != line.data() + line.size()) {
    return InvalidArgument(kMdLine, fmt::format("{} must be a number, not '{}'", kMdLine, line));
  }
  return identity;
}

TimePoint OperationDeadline(TimePoint client, Duration limit, TimePoint now) {
  constexpr Duration kOnItsWayMax = std::chrono::milliseconds(50);
  const Duration on_its_way = std::clamp((client - now) / 20, Duration::zero(), kOnItsWayMax);
  return std::min(client - on_its_way, now + limit);
}

}  // namespace engram::server
