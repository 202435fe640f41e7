// How long a node takes to answer, with the calls that are with it now: the measure of "nearest"
// (SPEC R3).
//
// Finagle's peak EWMA. An exponentially weighted moving average over time that jumps to a peak at
// once, so that a node that slows down is avoided from the first slow answer on, and forgets it
// with time constant `decay`:
//   answer after `took`:  w = e^(-(time since the last one) / decay)
//                         estimate = took > estimate ? took : estimate * w + took * (1 - w)
//   without answers:      estimate * w, so that a node that was slow is asked again some day
//   cost:                 estimate * (pending + 1)
// A node that has never answered costs nothing while no call is with it, and `unknown_cost` for
// each that is: it gets one call, not a flood.
//
// Thread-safety: everything from any thread, lock-free. Time has a grain of about a millisecond:
// among answers within one, only peaks count beside the first.
#pragma once

#include <atomic>
#include <cstdint>

#include "engram/base/time.h"

namespace engram::routing {

struct PeakEwmaOptions {
  Duration decay = std::chrono::seconds(10);
  Duration unknown_cost = std::chrono::seconds(1);
};

class PeakEwma {
 public:
  explicit PeakEwma(const PeakEwmaOptions& options);
  PeakEwma(const PeakEwma&) = delete;
  PeakEwma& operator=(const PeakEwma&) = delete;

  // A call goes to the node. Each is ended by exactly one of the two below.
  void Begin() { pending_.fetch_add(1, std::memory_order_relaxed); }
  // It was answered, or timed out, after `took`.
  void End(Duration took, TimePoint now);
  // It ended in a way that tells nothing of the node's speed: cancelled, or refused at once, which
  // would make a dead node look the fastest of all.
  void Abandon() { pending_.fetch_sub(1, std::memory_order_relaxed); }

  // 0 if the node has never answered.
  Duration Estimate(TimePoint now) const;
  // In nanoseconds; smaller is nearer.
  double Cost(TimePoint now) const;
  int pending() const { return pending_.load(std::memory_order_relaxed); }

 private:
  const double decay_ticks_;
  const double unknown_cost_;
  std::atomic<int> pending_{0};
  std::atomic<uint64_t> word_{0};  // when the last answer came, and the estimate as a float
};

}  // namespace engram::routing
