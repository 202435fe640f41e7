#include "engram/server/request_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "engram/base/session_token.h"
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
  if (!is_write) return memory::WriteIdentity{};
  std::string_view text = metadata.Find(kMdLine).value_or("0");
  uint64_t line = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), line);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument(kMdLine, fmt::format("{} must be a number, not '{}'", kMdLine, text));
  }
  return IdentityFrom(metadata.Find(kMdRequestId).value_or(""), line, is_write);
}

absl::StatusOr<memory::WriteIdentity> IdentityFrom(std::string_view request_id, uint64_t line,
                                                   bool is_write) {
  if (!is_write) return memory::WriteIdentity{};
  auto id = ParseRequestId(request_id);
  if (!id.ok()) return id.status();
  return memory::WriteIdentity{*id, line};
}

absl::StatusOr<std::optional<routing::ReadPreference>> ReadPreferenceFrom(
    const net::Metadata& metadata) {
  auto text = metadata.Find(kMdReadPreference);
  if (!text.has_value()) return std::nullopt;
  auto preference = routing::ParseReadPreference(*text);
  if (preference.has_value()) return preference;
  return InvalidArgument(
      kMdReadPreference,
      fmt::format("{} must be primary_preferred, nearest, replica_preferred or primary, not '{}'",
                  kMdReadPreference, *text));
}

absl::StatusOr<std::optional<routing::Ack>> AckFrom(std::string_view name) {
  if (auto ack = routing::AckFrom(name)) return ack;
  return InvalidArgument(kMdAck, fmt::format("{} must be one of {}, not '{}'", kMdAck,
                                             fmt::join(routing::kAckNames, ", "), name));
}

absl::StatusOr<std::optional<routing::Ack>> AckFrom(const net::Metadata& metadata) {
  auto name = metadata.Find(kMdAck);
  if (!name.has_value()) return std::nullopt;
  return AckFrom(*name);
}

routing::Ack AckOf(const NodeConfig& config, std::optional<routing::Ack> asked,
                   std::string_view space) {
  if (asked.has_value()) return *asked;
  auto of_space = config.acks.find(space);
  return of_space != config.acks.end() ? of_space->second : config.ack;
}

absl::StatusOr<std::optional<Version>> SessionFrom(const net::Metadata& metadata,
                                                   std::string_view space) {
  auto text = metadata.Find(kMdSession);
  if (!text.has_value()) return std::nullopt;
  auto tokens = ParseSessionTokens(kMdSession, *text, space);
  if (!tokens.ok()) return tokens.status();
  auto token = tokens->find(space);
  if (token == tokens->end()) return std::nullopt;
  return token->second;
}

routing::ReadPolicy ReadPolicyOf(const NodeConfig& config,
                                 std::optional<routing::ReadPreference> asked,
                                 std::string_view space) {
  routing::ReadPolicy policy{config.read_preference, config.replica_fallback};
  if (asked.has_value()) {
    policy.preference = *asked;
  } else if (!config.read_preferences.empty()) {
    auto of_space = config.read_preferences.find(space);
    if (of_space != config.read_preferences.end()) policy.preference = of_space->second;
  }
  return policy;
}

TimePoint OperationDeadline(TimePoint client, Duration limit, TimePoint now) {
  constexpr Duration kOnItsWayMax = std::chrono::milliseconds(50);
  const Duration on_its_way = std::clamp((client - now) / 20, Duration::zero(), kOnItsWayMax);
  return std::min(client - on_its_way, now + limit);
}

}  // namespace engram::server
