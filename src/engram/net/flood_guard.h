// Tells a hostile peer from a busy one by counting what costs it nothing and us something.
//
// The intuition: resets of calls are normal (a hedged read is cancelled, a deadline passes), so a
// count alone would cut off a busy node that serves many. An attacker opens streams only to reset
// them ("rapid reset", CVE-2023-44487), or makes us do it ("MadeYouReset", CVE-2025-8671): then
// resets are both many and at least half of everything begun. Pings, settings and empty frames
// serve a connection, not calls: for them an absolute bound will do. Window updates come with what
// we send: they may be as many as that makes plausible. Counts start anew with each window of 10 s.
// Pure; `now` is passed in.
#pragma once

#include <cstdint>

#include "engram/base/time.h"

namespace engram::net::internal {

struct FloodLimits {
  uint32_t resets_max = 1000;  // per window, unless they are less than half of the calls begun
  uint32_t control_frames_max = 10'000;  // per window
};

class FloodGuard {
 public:
  static constexpr Duration kWindow = std::chrono::seconds(10);

  explicit FloodGuard(FloodLimits limits) : limits_(limits) {}

  void OnCallBegun() { ++begun_; }
  // True: the connection is to be ended.
  [[nodiscard]] bool OnReset(TimePoint now) {
    Roll(now);
    ++resets_;
    return resets_ > limits_.resets_max && uint64_t{resets_} * 2 > uint64_t{begun_} + begun_before_;
  }
  [[nodiscard]] bool OnControlFrame(TimePoint now) {
    Roll(now);
    return ++control_frames_ > limits_.control_frames_max;
  }

  void OnDataSent() { ++data_sent_; }
  [[nodiscard]] bool OnWindowUpdate(TimePoint now) {
    Roll(now);
    return ++window_updates_ >
           limits_.control_frames_max + uint64_t{data_sent_} * kWindowUpdatesPerData;
  }

 private:
  // One for the stream and one for the connection are usual.
  static constexpr uint32_t kWindowUpdatesPerData = 10;

  void Roll(TimePoint now) {
    if (now < window_end_) return;
    window_end_ = now + kWindow;
    // Calls are not counted with the time, and those that are reset now have begun before.
    begun_before_ = begun_;
    begun_ = resets_ = control_frames_ = data_sent_ = window_updates_ = 0;
  }

  const FloodLimits limits_;
  TimePoint window_end_ = TimePoint::min();
  uint32_t begun_ = 0;
  uint32_t begun_before_ = 0;  // in the window before
  uint32_t resets_ = 0;
  uint32_t control_frames_ = 0;
  uint32_t data_sent_ = 0;
  uint32_t window_updates_ = 0;
};

}  // namespace engram::net::internal
