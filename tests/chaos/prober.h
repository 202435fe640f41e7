// Writes into one space, or reads from it, through all nodes but one, with several clients at once,
// and notes when it was answered: for the time in which nobody was.
//
// Used on one thread, which is not its own; `asker` outlives it.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "chaos/asker.h"
#include "engram/base/mutex.h"

namespace engram::testing {

class Prober {
 public:
  static constexpr int kClients = 8;
  // Of the memory that readers get; it is there.
  static constexpr char kRead[] = "read";

  // Begins at once. `kind`: kStore or kGet.
  Prober(OperationKind kind, SpaceId space, Asker& asker);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  // From now on nobody asks that node. -1: all are asked.
  void LeaveOut(int node) { left_out_ = node; }
  // Something was done since: a write without the flag, or any read.
  bool HasWorkedSince(TimePoint time) const;
  // The longest time without an answer, from `from` to now.
  Duration LongestGapSince(TimePoint from) const;

 private:
  void Run(size_t client);
  Operation NewOperation() const;

  const OperationKind kind_;
  const SpaceId space_;
  Asker& asker_;
  std::atomic<int> left_out_ = -1;
  std::atomic<bool> stop_ = false;
  mutable Mutex mutex_;
  std::vector<TimePoint> worked_ ABSL_GUARDED_BY(mutex_);  // ascending
  std::vector<std::thread> clients_;                       // last: they use the others
};

}  // namespace engram::testing
