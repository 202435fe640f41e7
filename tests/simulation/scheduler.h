// Virtual time: what happens next in a simulated cluster, in one thread. Events of the same time
// run in the order in which they were asked for, so that a seed gives one trace and no other.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <utility>

#include "engram/base/time.h"

namespace engram::simulation {

class Scheduler {
 public:
  TimePoint now() const { return now_; }

  // `event` must not be in the past.
  void At(TimePoint time, std::function<void()> event);
  void After(Duration delay, std::function<void()> event) { At(now_ + delay, std::move(event)); }

  // Runs until nothing is left, or `end` is reached.
  void Run(TimePoint end = kNever);

  // Forgets all that has not happened.
  void Clear() { queue_.clear(); }

  // Folds what happened into the trace's hash: the same seed must give the same.
  void Trace(std::string_view what);
  uint64_t trace() const { return trace_; }
  uint64_t events() const { return events_; }

 private:
  TimePoint now_{std::chrono::seconds(1'000)};
  std::map<std::pair<TimePoint, uint64_t>, std::function<void()>> queue_;
  uint64_t asked_ = 0;
  uint64_t events_ = 0;
  uint64_t trace_ = 0;
};

}  // namespace engram::simulation
