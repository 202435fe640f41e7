// Tells requests that they have been under way for a while (routing/call_plan.h, Send::check_at).
//
// Nearly all wait equally long, so they stand in one line and one timer serves them: joining and
// leaving the line is a few pointers, for a check that hardly any request lives to see. Belongs to
// one loop.
#pragma once

#include <boost/intrusive/list.hpp>

#include "engram/base/time.h"
#include "engram/net/event_loop.h"

namespace engram::server {

class SlowCalls {
 public:
  // Leaves the line when it is destroyed.
  class Waiter : public boost::intrusive::list_base_hook<
                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    virtual ~Waiter() = default;
    virtual void OnSlow() = 0;
    void StopWaiting() {
      if (is_linked()) unlink();
    }

   private:
    friend class SlowCalls;
    TimePoint due_;
  };

  explicit SlowCalls(net::EventLoop& loop) : timer_(loop) {}

  // OnSlow runs once, at `due` or somewhat later, unless it stops waiting. False: it is due before
  // others that came earlier, and needs a timer of its own.
  [[nodiscard]] bool Wait(Waiter& waiter, TimePoint due) {
    waiter.StopWaiting();
    if (!line_.empty() && due < line_.back().due_) return false;
    waiter.due_ = due;
    line_.push_back(waiter);
    if (!armed_) Arm();
    return true;
  }

 private:
  void Arm() {
    armed_ = true;
    timer_.RunAt(line_.front().due_, [this] { OnTimer(); });
  }
  void OnTimer() {
    armed_ = false;
    const TimePoint now = net::EventLoop::Now();
    while (!line_.empty() && line_.front().due_ <= now) {
      Waiter& slow = line_.front();
      slow.StopWaiting();
      slow.OnSlow();
    }
    if (!line_.empty() && !armed_) Arm();
  }

  boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>> line_;
  net::EventLoop::Timer timer_;
  bool armed_ = false;
};

}  // namespace engram::server
