// One timer over the deadlines of many calls.
//
// Calls mostly end long before their deadline, so a timer of its own per call would be set and
// cancelled for nothing. This one is set to the earliest deadline it was told of; when it fires,
// the owner looks through its calls, ends those that are due, and returns the earliest of the rest.
// With calls of similar time-outs that is one look per time-out, not per call.
//
// Owned by the connection or channel whose calls it watches. Loop thread only.
#pragma once

#include <optional>
#include <utility>

#include "engram/net/event_loop.h"

namespace engram::net {

class DeadlineTimer {
 public:
  // `expire` ends the calls that are due at `now` and watches the earliest deadline of the rest.
  using Expire = absl::AnyInvocable<void(TimePoint now)>;

  DeadlineTimer(EventLoop& loop, Expire expire) : loop_(loop), expire_(std::move(expire)) {}

  void Watch(TimePoint deadline) {
    if (deadline >= armed_) return;
    armed_ = deadline;
    if (!timer_.has_value()) timer_.emplace(loop_);
    timer_->RunAt(deadline, [this] {
      armed_ = kNever;
      expire_(EventLoop::Now());  // may destroy this
    });
  }

  void Cancel() {
    armed_ = kNever;
    timer_.reset();
  }

 private:
  EventLoop& loop_;
  Expire expire_;
  TimePoint armed_ = kNever;
  std::optional<EventLoop::Timer> timer_;  // made when the first call has a deadline
};

}  // namespace engram::net
