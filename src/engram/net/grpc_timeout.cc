#include "engram/net/grpc_timeout.h"

#include <algorithm>
#include <charconv>

namespace engram::net::internal {
namespace {

constexpr size_t kDigitsMax = 8;
constexpr int64_t kValueMax = 99'999'999;

struct Unit {
  char letter;
  int64_t nanoseconds;
};
// From the finest on: the first that can hold a value is used.
constexpr std::array<Unit, 6> kUnits = {{{'n', 1},
                                         {'u', 1'000},
                                         {'m', 1'000'000},
                                         {'S', 1'000'000'000},
                                         {'M', 60'000'000'000},
                                         {'H', 3'600'000'000'000}}};

}  // namespace

std::optional<Duration> ParseTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > kDigitsMax + 1) return std::nullopt;
  const char* digits_end = text.data() + text.size() - 1;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), digits_end, value);
  if (error != std::errc() || end != digits_end) return std::nullopt;
  const auto* unit = std::find_if(kUnits.begin(), kUnits.end(),
                                  [&](const Unit& u) { return u.letter == text.back(); });
  if (unit == kUnits.end()) return std::nullopt;
  const auto count = static_cast<int64_t>(value);
  if (count > Duration::max().count() / unit->nanoseconds) return Duration::max();
  return std::chrono::nanoseconds(count * unit->nanoseconds);
}

TimeoutText::TimeoutText(Duration timeout) {
  const int64_t nanoseconds =
      std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(timeout).count());
  for (const Unit& unit : kUnits) {
    const int64_t value = nanoseconds / unit.nanoseconds + (nanoseconds % unit.nanoseconds != 0);
    if (value > kValueMax) continue;
    char* end = std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr;
    *end++ = unit.letter;
    size_ = static_cast<size_t>(end - text_.data());
    return;
  }
}

TimePoint DeadlineAfter(TimePoint now, Duration timeout) {
  return timeout >= kNever - now ? kNever : now + timeout;
}

}  // namespace engram::net::internal
