// What the log of one space on one holder contains, without the entries: the part of it that
// decides (docs/model, decisions 12, 16 and 19). Every change that a holder has stands in its main
// log, which is a piece of the primary's, or in its outbox, which waits to be merged; never in
// none, and in both only after the log was restarted (`base`).
//
// A change has an origin, the place where it was logged first: a position of the main log of that
// time, or of a branch. It keeps it when it is merged, and then stands at a position of its own.
//
// Value type; durable in the batch of what changed it. Whoever holds the entries keeps this in step
// (memory/commit_group.h).
#pragma once

#include <cstdint>
#include <vector>

#include "engram/base/planted.h"
#include "engram/base/version_vector.h"
#include "engram/replication/copy_state.h"
#include "engram/replication/epoch_history.h"
#include "engram/replication/holder_state.h"

namespace engram::replication {

struct SpaceLog {
  HolderState holder;
  EpochHistory history;  // the positions of the main log
  VersionVector logged;  // the changes in it, by origin
  VersionVector outbox;  // the newest change of each stream that stands in the outbox
  uint64_t outbox_entries = 0;
  std::vector<NodeId> holders;  // in the ring's order; of the newest assignment in the log, or
                                // as proposed to whom has no entry yet
  Version assignment;           // its position; the default if no entry says so yet
  // The memories are not yet those of the log: pieces of another holder's copy are being taken
  // over. Such a holder is not counted for a write, and takes no office (docs/model, decision 3).
  bool incomplete = false;
  // Of an incomplete one: it has lost its disk, and with it what it had promised.
  bool forgetful = false;
  // Of one that is incomplete but not forgetful: where its log ended when it was complete. It has
  // confirmed nothing after that.
  Version complete_to{};
  // Where it was restarted with the log of another holder, until no later primary can lack that.
  // What came as an entry after it stays in the outbox, too: the log may have to be forgotten.
  Version base{};

  // Of the last entry of the main log.
  Version last() const { return history.last(); }

  CopyState copy() const {
    if (!incomplete) return CopyState::kComplete;
    return forgetful ? CopyState::kForgetful : CopyState::kBehind;
  }
  // Up to where it may have confirmed entries: what its promise tells, if it is not forgetful.
  Version ConfirmedTo() const { return incomplete ? complete_to : last(); }
  // Before the log is another one.
  void BecomeIncomplete() {
    complete_to = ConfirmedTo();
    incomplete = true;
  }
  void BecomeComplete() {
    incomplete = forgetful = false;
    complete_to = {};
  }

  // Where the primary's next entry goes. REQUIRES: holder.IsPrimary(...).
  Version NextPosition() const {
    const Version end = last();
    return {holder.epoch(), end.epoch == holder.epoch() ? end.sequence + 1 : 1};
  }

  // The origin of a change that `self` takes without being primary. The stream is that of the
  // epoch that it would be primary of under the counter that it follows; so if it was, the branch
  // goes on where its log ended.
  Version NextOfBranch(const NodeId& self) const {
    const Epoch stream{holder.epoch().counter, self};
    if (IsPlanted(Bug::kLogPositionReset)) return {stream, outbox.SequenceOf(stream) + 1};
    return {stream, std::max(logged.SequenceOf(stream), outbox.SequenceOf(stream)) + 1};
  }

  // Everything that this holder has.
  VersionVector Seen() const {
    VersionVector seen = logged;
    seen.Join(outbox);
    return seen;
  }

  friend bool operator==(const SpaceLog&, const SpaceLog&) = default;
};

}  // namespace engram::replication
