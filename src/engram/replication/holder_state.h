// What a holder of a space has bound itself to: the counter that it has promised, and the epoch
// that it follows or is primary of (DESIGN §5; docs/model, decisions 1, 2, 7 and 8).
//
// Value type. Every change is durable before anybody hears of it: a holder that forgets a promise
// helps to make two primaries.
#pragma once

#include <cstdint>

#include "engram/base/planted.h"
#include "engram/base/strong_id.h"
#include "engram/base/version.h"

namespace engram::replication {

class HolderState {
 public:
  // Of a holder that has promised nothing yet, and heard no primary.
  HolderState() = default;

  uint64_t promised() const { return promised_; }
  const NodeId& promised_to() const { return promised_to_; }
  const Epoch& epoch() const { return epoch_; }

  // A counter is promised once, to one collector; so two majorities never have one counter.
  bool MayPromise(uint64_t counter) const { return counter > promised_; }

  // REQUIRES: MayPromise(counter). Whether the time for it has come is PrimaryContact's to say.
  void Promise(uint64_t counter, const NodeId& collector);

  // Whether what comes from the primary of `epoch` is to be followed; else it is fenced, and is
  // told the promise. Of two epochs with one counter, which no majority has made, the larger is
  // newer.
  bool Accepts(const Epoch& epoch) const {
    return (epoch.counter >= promised_ || IsPlanted(Bug::kNoFence)) && epoch >= epoch_;
  }

  // Follows the primary of `epoch` from now on. REQUIRES: Accepts(epoch).
  void Follow(const Epoch& epoch);

  // Whether the appointment for `counter` by `collector` still counts: nothing newer was promised,
  // and nobody is primary by that counter yet as far as is known here.
  bool MayTakeOffice(uint64_t counter, const NodeId& collector) const;

  // `self` is primary of (the counter promised, self) from now on. REQUIRES: MayTakeOffice.
  void TakeOffice(const NodeId& self);

  // Whether `self` is primary now. A promise binds the primary, too: once it has promised a newer
  // counter, to whomever, its position has been counted, and it takes no writes.
  bool IsPrimary(const NodeId& self) const {
    return epoch_.counter > 0 && epoch_.primary == self &&
           (epoch_.counter == promised_ || IsPlanted(Bug::kNoSelfFence));
  }

  friend bool operator==(const HolderState&, const HolderState&) = default;

 private:
  uint64_t promised_ = 0;
  NodeId promised_to_;  // empty: to nobody, but a primary of that counter was heard
  Epoch epoch_;
};

}  // namespace engram::replication
