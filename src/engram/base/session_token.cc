#include "engram/base/session_token.h"

#include <fmt/format.h>

#include <charconv>

#include "engram/base/error.h"
#include "engram/base/names.h"

namespace engram {
namespace {

bool ParseNumber(std::string_view text, uint64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

absl::Status NotAToken(std::string_view field, std::string_view text) {
  return InvalidArgument(
      field, fmt::format("{} must be counter:primary:sequence, as the version of an answer, or "
                         "space=counter:primary:sequence for each space, not '{}'",
                         field, text));
}

}  // namespace

std::string ToSessionToken(const Version& change) {
  return fmt::format("{}:{}:{}", change.epoch.counter, change.epoch.primary.view(),
                     change.sequence);
}

std::optional<Version> ParseSessionToken(std::string_view text) {
  const size_t first = text.find(':');
  const size_t last = text.rfind(':');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  const std::string_view node = text.substr(first + 1, last - first - 1);
  Version change;
  if (!CheckNodeId("", node).ok() || !ParseNumber(text.substr(0, first), change.epoch.counter) ||
      !ParseNumber(text.substr(last + 1), change.sequence)) {
    return std::nullopt;
  }
  change.epoch.primary = NodeId(node);
  return change;
}

absl::StatusOr<StringMap<Version>> ParseSessionTokens(std::string_view field, std::string_view text,
                                                      std::string_view default_space) {
  StringMap<Version> tokens;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const size_t equals = one.find('=');
    const bool named = equals != std::string_view::npos;
    const std::string_view space = named ? one.substr(0, equals) : default_space;
    const auto token = ParseSessionToken(named ? one.substr(equals + 1) : one);
    if (!token.has_value() || !CheckSpaceName(field, space).ok()) return NotAToken(field, one);
    tokens.insert_or_assign(std::string(space), *token);
  }
  return tokens;
}

}  // namespace engram
