// One space as it will be once the group that is being built has committed. Made by CommitGroup for
// each space that a group touches; used by the commit thread only.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/memory/records.h"
#include "engram/memory/space_index.h"
#include "engram/memory/space_state.h"
#include "engram/replication/space_log.h"
#include "engram/storage/database.h"

namespace engram::memory {

struct SpaceDraft {
  std::shared_ptr<SpaceState> state;
  bool is_new = false;
  SpaceRecord record;
  replication::SpaceLog log;
  bool changed = false;
  bool log_changed = false;  // more of it than the record has (EncodeSpaceLog)
  std::vector<IndexChange> changes;
  uint64_t tombstones_before = 0;
  uint64_t collected = 0;         // tombstones that were dropped
  std::vector<MemoryId> touched;  // memories that readers may see differently

  const SpaceId& id() const { return state->id(); }

  // The revision of the next change made here: a hybrid logical clock that never goes back and is
  // at least `now` (Kulkarni et al., "Logical Physical Clocks", 2014).
  Revision NextRevision(WallMillis now, const Version& origin, const RequestId& request_id);
  // The same clock's rule for a change that was made elsewhere.
  void FollowClock(const Revision& revision);

  // Appends the entry to the main log; what has its origin leaves the outbox, unless the log may
  // have to be forgotten (SpaceLog::base). An error leaves everything as it was. REQUIRES:
  // log.history.MayAppend(position).
  [[nodiscard]] absl::Status Append(storage::Batch& batch, const Version& position,
                                    const LogEntry& entry, std::string_view bytes);

  // Puts the change into the outbox, if it is not there.
  [[nodiscard]] absl::Status AddToOutbox(storage::Batch& batch, const LogEntry& entry);

  // REQUIRES: it stands there, and everything before it in its stream has left.
  void DropFromOutbox(storage::Batch& batch, const LogEntry& entry);

  // Sets what the record repeats of the log.
  void SetEnds();
};

}  // namespace engram::memory
