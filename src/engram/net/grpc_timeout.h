// The header `grpc-timeout`: at most 8 digits and a unit (H hours, M minutes, S seconds, m, u, n).
//
// Source: gRPC over HTTP/2, "Timeout". Pure functions, thread-safe.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "engram/base/time.h"

namespace engram::net::internal {

// nullopt: malformed. Time-outs too long for Duration become Duration::max().
std::optional<Duration> ParseTimeout(std::string_view text);

// The value of the header, without an allocation.
class TimeoutText {
 public:
  // Rounded up to the finest unit that 8 digits can hold; below zero is sent as "0n".
  explicit TimeoutText(Duration timeout);
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 12> text_{};
  size_t size_ = 0;
};

// `now` + `timeout`, kNever when that is beyond what TimePoint can hold.
TimePoint DeadlineAfter(TimePoint now, Duration timeout);

}  // namespace engram::net::internal
