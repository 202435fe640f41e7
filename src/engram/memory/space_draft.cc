#include "engram/memory/space_draft.h"

namespace engram::memory {

Revision SpaceDraft::NextRevision(WallMillis now, const RequestId& request_id) {
  if (ToInt(now) > ToInt(record.clock)) {
    record.clock = now;
    record.clock_counter = 0;
  } else {
    ++record.clock_counter;
  }
  ++record.last.sequence;
  return {record.clock, record.clock_counter, record.last, request_id};
}

}  // namespace engram::memory
