// Bounds what a loop works on at once, and sheds the rest at once, so that a node that is asked for
// ten times what it can do still does all that it can (SPEC R14).
//
// `running_max` requests run; `waiting_max` wait, oldest first. A request is shed when it arrives
//  - if the queue is full, or
//  - if others wait already and it would have to wait longer than `wait_max`, or would have ended
//    only after its deadline. Whom it turns away at the door costs next to nothing, whereas an
//    answer that comes after its deadline costs as much as a good one.
// One whose deadline passes while it waits is dropped when its turn comes, not run.
//
// First in, first out, since the door keeps the queue as short as the deadlines are: everybody who
// is let in is served in time, in the order of arrival. (Newest first serves as many, but lets
// those wait for nothing who came first, and tells them late. CoDel looks at how long a request has
// waited, because a router knows no deadlines; here each request brings its own.)
//
// Formulas, with pace = the mean time from one end of a request to the next while all places are
// taken, measured over windows of at least 100 ms, each averaged with what was known before:
//   time until its turn     = pace * (waiting + 1)
//   time until it has ended = that + pace * running_max, which is how long one takes (Little)
//   retry_after             = pace * (waiting + running), the time to work off the backlog,
//                             at least 10 ms, at most 1 s
//
// Pure. Not thread-safe: belongs to one loop.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "engram/base/time.h"

namespace engram::routing {

struct AdmissionOptions {
  size_t running_max = 512;  // >= 1
  size_t waiting_max = 1'000;
  Duration wait_max = std::chrono::milliseconds(500);
};

class AdmissionGate {
 public:
  enum class Turn { kRun, kExpired };
  // Called once, when a request that waits gets its turn. kRun: run it, Leave() when it has ended,
  // which may be at once. kExpired: its deadline has passed, it has no place to leave.
  using Waiter = absl::AnyInvocable<void(Turn)>;

  explicit AdmissionGate(const AdmissionOptions& options);
  AdmissionGate(const AdmissionGate&) = delete;
  AdmissionGate& operator=(const AdmissionGate&) = delete;

  // True: run it now, and Leave() when it has ended. False: Wait() or refuse it.
  bool Enter();
  // Nullopt: it waits. Else it is shed: `waiter` will not be called, the time is its retry_after.
  // REQUIRES: Enter() said no.
  [[nodiscard]] std::optional<Duration> Wait(TimePoint now, TimePoint deadline, Waiter waiter);
  // A request that ran has ended; whose turn it now is, is called from within.
  void Leave(TimePoint now);

  size_t running() const { return running_; }
  size_t waiting() const { return waiting_.size(); }
  bool full() const { return waiting_.size() >= options_.waiting_max; }
  // When to come again, for whom the gate turns away now.
  Duration RetryAfter() const;

 private:
  struct Waiting {
    TimePoint deadline;
    Waiter waiter;
  };

  bool IsTooLate(TimePoint now, TimePoint deadline) const;
  void Measure(TimePoint now);
  void CallWaiters(TimePoint now);

  const AdmissionOptions options_;
  size_t running_ = 0;
  std::deque<Waiting> waiting_;
  bool calling_ = false;  // CallWaiters is on the stack

  Duration pace_{};  // 0: not known yet
  // Of the window in which the pace is being measured; nullopt while there are free places.
  std::optional<TimePoint> full_since_;
  int ended_ = 0;
};

}  // namespace engram::routing
