// The lease in both directions (SPEC C7, DESIGN §5; docs/model, decisions 11 and 13): a primary
// flags its answers when it has not heard a majority for 2 s; a holder promises elsewhere only 3 s
// after it last heard the primary. So no answer without the flag is older than a newer primary, as
// long as the two clocks differ by less than a second over that time. `now` must go on while the
// machine sleeps.
#pragma once

#include <map>
#include <vector>

#include "engram/base/planted.h"
#include "engram/base/strong_id.h"
#include "engram/base/time.h"

namespace engram::replication {

struct LeaseOptions {
  Duration lease = std::chrono::seconds(2);  // of a primary
  Duration wait = std::chrono::seconds(3);   // of a holder; longer than the lease
};

// At a primary. Owned by the machine of its space; made anew when it takes office and after a
// restart, and not valid then: neither the promises nor what was heard before says anything about
// now. Value type, not thread-safe.
class PrimaryLease {
 public:
  // `others`: all holders but this one.
  PrimaryLease(const LeaseOptions& options, const std::vector<NodeId>& others);

  // `holder` has answered the heartbeat that was sent at `sent`. When the answer came is no matter:
  // it says when the holder heard us at the earliest. From who is no holder, nothing changes.
  void Answered(const NodeId& holder, TimePoint sent);

  // Until when an answer may go without the flag: ask after reading or committing, not before.
  // TimePoint::min() if a majority has never answered.
  TimePoint ValidUntil() const;
  bool IsValid(TimePoint now) const { return now < ValidUntil(); }
  // The same of one that has forgotten its promises: no lease hangs on it.
  void AnsweredForgetful(const NodeId& holder, TimePoint sent);

  // Whether so many holders have been heard lately, besides this node, that all others together
  // are no majority: there is no newer primary, whatever one of those may have forgotten. Or all
  // were heard, forgetful ones included.
  bool OutvotesTheRest(TimePoint now) const;

 private:
  // Until when so many of the others have been heard.
  TimePoint HeardUntil(size_t others) const;

  Duration lease_;
  std::map<NodeId, TimePoint> sent_forgetful_;
  std::map<NodeId, TimePoint> sent_;  // of the newest heartbeat answered; min() if none
};

// At a holder: how long it has not heard the primary that it follows. Owned by the machine of its
// space; made anew after a restart. Value type, not thread-safe.
class PrimaryContact {
 public:
  // As if the primary had just been heard: it may have been, before a restart.
  PrimaryContact(const LeaseOptions& options, TimePoint now) : wait_(options.wait), heard_(now) {
    if (IsPlanted(Bug::kRestartForgetsContact)) heard_ -= wait_;
  }

  // Anything that the primary of the epoch that is followed has sent. A refusal before it is void:
  // the primary is back.
  void Heard(TimePoint now);

  // The primary's port refused: its process is gone.
  void Refused() { refused_ = true; }

  // A promise was given: its collector has as long before the next one as a primary would.
  void Promised(TimePoint now) { Heard(now); }

  // Whether somebody other than the primary may be promised a newer counter.
  bool MayPromise(TimePoint now) const {
    return refused_ || now >= due() || IsPlanted(Bug::kNoWait);
  }
  bool refused() const { return refused_; }
  TimePoint due() const { return heard_ + wait_; }
  TimePoint heard_at() const { return heard_; }

 private:
  Duration wait_;
  TimePoint heard_;
  bool refused_ = false;
};

}  // namespace engram::replication
