// Two kinds of time that must not be mixed. Nothing below server/ reads a clock by itself: `now` is
// passed in.
#pragma once

#include <chrono>
#include <cstdint>

namespace engram {

// Monotonic: deadlines, time-outs, delays.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

// Never reached: "no deadline".
inline constexpr TimePoint kNever = TimePoint::max();

// Wall-clock time in milliseconds since 1970-01-01 UTC: what is stored with a memory, and half of a
// hybrid logical clock.
enum class WallMillis : int64_t {};

inline constexpr int64_t ToInt(WallMillis t) { return static_cast<int64_t>(t); }

}  // namespace engram
