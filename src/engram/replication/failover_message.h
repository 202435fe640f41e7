// What the holders of a space say to each other about who is primary. Each is about one space,
// which the driver adds.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "engram/base/time.h"
#include "engram/base/version.h"
#include "engram/replication/copy_state.h"

namespace engram::replication {

// From the primary of `epoch`, on the stream of its log.
struct Heartbeat {
  Epoch epoch;
  TimePoint sent;  // by the sender's clock, and of use to nobody else
  Version last;    // of its log: what a holder that is in step has, too
  Version held{};  // up to there a majority has it: every later primary will
  std::vector<NodeId>
      holders{};  // only to one who does not follow: it may know nothing of the space
};

// The holder follows `epoch`; `sent` is the heartbeat's.
struct HeartbeatAnswer {
  Epoch epoch;
  TimePoint sent;
  // Its log is a piece of the primary's, and ends at `position`, durably. Else it waits to be told
  // the primary's history.
  bool in_step = false;
  Version position;
  // If it is not complete, it may not be counted on for a write; if it is forgetful, nor for a
  // lease.
  CopyState copy = CopyState::kComplete;
};

// What was heard is older than what its hearer is bound to.
struct Fenced {
  uint64_t promised = 0;
  Epoch epoch;
};

// Would you promise `counter` to me? Asked before anybody binds itself, so that one who is heard by
// nobody, or hears nobody, cannot make others change epochs (Ongaro, 2014, §9.6: pre-vote).
// `holders`, here and of AskPromise: in the ring's order, for a hearer that may not know the space.
struct Canvass {
  uint64_t counter = 0;
  std::vector<NodeId> holders{};
};
// `copy`, here and of Promise: see promise_count.h.
struct WouldPromise {
  uint64_t counter = 0;
  CopyState copy = CopyState::kComplete;
};

// `primary_promised`: the primary that is followed has promised it already.
struct AskPromise {
  uint64_t counter = 0;
  std::vector<NodeId> holders;
  bool primary_promised = false;
};
// `position`: up to where the promiser may have confirmed entries, its last one if its copy is
// complete; it appends nothing of an older epoch from now on.
struct Promise {
  uint64_t counter = 0;
  Version position;
  CopyState copy = CopyState::kComplete;
};

// From the primary, whose log ends at `position` for good: I have promised you `counter`, collect
// the others' promises (a planned handover).
struct HandOver {
  uint64_t counter = 0;
  Version position;
};

// From the collector of `counter`: be primary.
struct Appoint {
  uint64_t counter = 0;
};

using FailoverMessage = std::variant<Heartbeat, HeartbeatAnswer, Fenced, Canvass, WouldPromise,
                                     AskPromise, Promise, Appoint, HandOver>;

}  // namespace engram::replication
