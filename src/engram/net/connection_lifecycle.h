// When an HTTP/2 connection is to be pinged, drained or closed because of time: it never began, was
// never used, has fallen silent, idle or old.
//
// A pure machine: told what happens with `now`, it says what is due and when to ask again. Both
// sides use it, each with its own limits; a limit of kNoLimit is off. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "engram/base/time.h"

namespace engram::net::internal {

inline constexpr Duration kNoLimit = Duration::max();

struct LifecycleLimits {
  Duration preface_timeout = kNoLimit;        // from the beginning to the peer's first frame
  Duration first_request_timeout = kNoLimit;  // from the beginning to the first call
  Duration idle_max = kNoLimit;               // without a call, after the last one
  Duration age_max = kNoLimit;
  Duration age_grace = kNoLimit;  // from age_max to the end of the calls that are left
  // A ping after so long without a sign of life from the peer, and so long for any byte to follow.
  Duration keepalive_interval = kNoLimit;
  Duration keepalive_timeout = kNoLimit;
};

class ConnectionLifecycle {
 public:
  enum class Action : uint8_t { kNone, kPing, kDrain, kClose };
  enum class Reason : uint8_t { kNone, kUnfinished, kUnused, kSilent, kIdle, kOld };
  struct Due {
    Action action = Action::kNone;
    Reason reason = Reason::kNone;
  };

  ConnectionLifecycle(LifecycleLimits limits, TimePoint now)
      : limits_(limits), born_(now), last_alive_(now), idle_since_(now) {}

  // The peer has sent something, or taken more of what it was too slow for.
  void OnAlive(TimePoint now) {
    last_alive_ = now;
    pinged_.reset();
  }
  void OnFirstFrame() { begun_ = true; }
  void OnCallBegun() { used_ = busy_ = true; }
  void OnLastCallEnded(TimePoint now) {
    busy_ = false;
    idle_since_ = now;
  }
  bool begun() const { return begun_; }

  // What is due. Each action is said once; ask again until there is none, then at NextTick().
  Due Tick(TimePoint now);
  // kNever if there is nothing to wait for. Calls only ever move it further away, so a timer that
  // is set to it need not be set anew with each call.
  TimePoint NextTick() const;

 private:
  bool IsDue(Duration limit, TimePoint since, TimePoint now) const;
  Due End(TimePoint now) const;

  const LifecycleLimits limits_;
  const TimePoint born_;
  TimePoint last_alive_;
  TimePoint idle_since_;
  std::optional<TimePoint> pinged_;  // and no byte since
  bool begun_ = false;
  bool used_ = false;
  bool busy_ = false;
  bool draining_ = false;
};

}  // namespace engram::net::internal
