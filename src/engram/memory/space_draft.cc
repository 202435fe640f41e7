#include "engram/memory/space_draft.h"

#include <algorithm>

#include "engram/memory/keys.h"

namespace engram::memory {

using storage::Family;

Revision SpaceDraft::NextRevision(WallMillis now, const Version& origin,
                                  const RequestId& request_id) {
  if (ToInt(now) > ToInt(record.clock)) {
    record.clock = now;
    record.clock_counter = 0;
  } else {
    ++record.clock_counter;
  }
  return {record.clock, record.clock_counter, origin, request_id};
}

void SpaceDraft::FollowClock(const Revision& revision) {
  if (ToInt(revision.clock) > ToInt(record.clock)) {
    record.clock = revision.clock;
    record.clock_counter = revision.clock_counter;
  } else if (revision.clock == record.clock) {
    record.clock_counter = std::max(record.clock_counter, revision.clock_counter);
  }
}

absl::Status SpaceDraft::Append(storage::Batch& batch, const Version& position,
                                const LogEntry& entry, std::string_view bytes) {
  const Version& origin = entry.revision.version;
  if (log.outbox.Covers(origin) && log.base == Version()) {
    const std::string key = OutboxKey(id(), entry.revision);
    auto waiting = batch.Get(Family::kOutbox, key);
    if (!waiting.ok()) return waiting.status();
    if (waiting->has_value()) DropFromOutbox(batch, entry);
  }
  if (position.sequence == 1 || position != origin) log_changed = true;
  if (entry.operation == LogOperation::kAssign) {
    log.holders = entry.holders;
    log.assignment = position;
    log_changed = true;
  }
  changed = true;
  log.history.Append(position);
  log.logged.Add(position);
  log.logged.Add(origin);
  batch.Put(Family::kLog, LogKey(id(), position), bytes);
  return absl::OkStatus();
}

absl::Status SpaceDraft::AddToOutbox(storage::Batch& batch, const LogEntry& entry) {
  const Version& origin = entry.revision.version;
  const std::string key = OutboxKey(id(), entry.revision);
  if (log.outbox.Covers(origin)) {
    auto there = batch.Get(Family::kOutbox, key);
    if (!there.ok() || there->has_value()) return there.status();
  }
  if (record.branch.epoch != origin.epoch) log_changed = true;
  changed = true;
  record.branch = origin;
  log.outbox.Add(origin);
  ++log.outbox_entries;
  batch.Put(Family::kOutbox, key, EncodeLogEntry(entry));
  return absl::OkStatus();
}

void SpaceDraft::DropFromOutbox(storage::Batch& batch, const LogEntry& entry) {
  const Version& origin = entry.revision.version;
  batch.Delete(Family::kOutbox, OutboxKey(id(), entry.revision));
  --log.outbox_entries;
  // A stream leaves the outbox in its order.
  if (log.outbox.SequenceOf(origin.epoch) == origin.sequence) log.outbox.Set({origin.epoch, 0});
  changed = log_changed = true;
}

void SpaceDraft::SetEnds() {
  record.last = log.last();
  record.assignment = log.assignment;
  record.outbox_entries = log.outbox_entries;
  const uint64_t branch = log.outbox.SequenceOf(record.branch.epoch);
  record.branch = branch == 0 ? Version() : Version{record.branch.epoch, branch};
}

}  // namespace engram::memory
