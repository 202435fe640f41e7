#include "engram/server/config_setters.h"

#include <fmt/format.h>

#include <charconv>

#include "absl/time/time.h"
#include "engram/base/error.h"

namespace engram::server {
namespace {

constexpr absl::Duration kDurationMax = absl::Hours(720);

}  // namespace

absl::Status SetInt(std::string_view key, int least, int most, const std::string& value, int& out) {
  int parsed = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc() || end != value.data() + value.size() || parsed < least ||
      parsed > most) {
    return InvalidArgument(key, fmt::format("{} must be a whole number from {} to {}, not '{}'",
                                            key, least, most, value));
  }
  out = parsed;
  return absl::OkStatus();
}

absl::Status SetDuration(std::string_view key, const std::string& value, Duration& out) {
  absl::Duration parsed;
  if (!absl::ParseDuration(value, &parsed) || parsed <= absl::ZeroDuration() ||
      parsed > kDurationMax) {
    return InvalidArgument(
        key, fmt::format("{} must be a time such as 500ms, 10s or 1h, at most 720h, not '{}'", key,
                         value));
  }
  out = absl::ToChronoNanoseconds(parsed);
  return absl::OkStatus();
}

absl::Status SetLimit(std::string_view key, const std::string& value, Duration& out) {
  if (value != "0") {
    if (SetDuration(key, value, out).ok()) return absl::OkStatus();
    return InvalidArgument(
        key, fmt::format("{} must be a time such as 30s, 10m or 24h, at most 720h, or 0 for no "
                         "limit, not '{}'",
                         key, value));
  }
  out = Duration::max();
  return absl::OkStatus();
}

std::string ShowDuration(Duration d) { return absl::FormatDuration(absl::FromChrono(d)); }

absl::Status SetChoice(std::string_view key, const std::vector<std::string_view>& choices,
                       const std::string& value, std::string& out) {
  for (std::string_view choice : choices) {
    if (value == choice) {
      out = value;
      return absl::OkStatus();
    }
  }
  return InvalidArgument(
      key, fmt::format("{} must be one of {}, not '{}'", key, fmt::join(choices, ", "), value));
}

absl::Status SetAddress(std::string_view key, const std::string& value, std::string& out) {
  if (auto parsed = ParseHostPort(key, value); !parsed.ok()) return parsed.status();
  out = value;
  return absl::OkStatus();
}

absl::Status SetSwitch(std::string_view key, const std::string& value, bool& out) {
  std::string chosen;
  absl::Status status = SetChoice(key, {"on", "off"}, value, chosen);
  if (status.ok()) out = chosen == "on";
  return status;
}

}  // namespace engram::server
