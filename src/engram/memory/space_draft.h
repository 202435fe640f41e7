// One space as it will be once the group that is being built has committed. Made by CommitGroup for
// each space that a group touches; used by the commit thread only.
#pragma once

#include <memory>
#include <vector>

#include "engram/memory/records.h"
#include "engram/memory/space_index.h"
#include "engram/memory/space_state.h"
#include "engram/storage/database.h"

namespace engram::memory {

struct SpaceDraft {
  std::shared_ptr<SpaceState> state;
  bool is_new = false;
  SpaceRecord record;
  std::vector<IndexChange> changes;

  const SpaceId& id() const { return state->id(); }

  // The revision of the next change: the next sequence of the space's log, and a hybrid logical
  // clock that never goes back and is at least `now` (Kulkarni et al., "Logical Physical Clocks",
  // 2014).
  Revision NextRevision(WallMillis now, const RequestId& request_id);
};

}  // namespace engram::memory
