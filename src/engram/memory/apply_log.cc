#include "engram/memory/apply_log.h"

#include <fmt/format.h>

#include "engram/base/planted.h"
#include "engram/memory/errors.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using replication::EpochHistory;
using replication::HolderState;
using replication::SpaceLog;
using replication::Tombstone;
using storage::Family;

absl::Status Fenced(const LogContext& context, const Epoch& epoch) {
  const HolderState& holder = context.apply.space.log.holder;
  return Refused(context.apply.space.id(),
                 fmt::format("epoch ({}, {}) is refused: this node has promised {} and follows "
                             "({}, {})",
                             epoch.counter, epoch.primary.view(), holder.promised(),
                             holder.epoch().counter, holder.epoch().primary.view()));
}

absl::Status Gap(const LogContext& context, const Version& position) {
  return Refused(context.apply.space.id(),
                 fmt::format("({}, {}) {} is not the next entry of the log", position.epoch.counter,
                             position.epoch.primary.view(), position.sequence));
}

// Whether another change with its request id has had the effect of this one, for good: it stands in
// the log. One that waits in the outbox may yet turn out to be the second. Where the requests were
// not the same, the id was used twice, and each has its effect.
absl::StatusOr<bool> IsDuplicate(const LogContext& context, const LogEntry& entry) {
  if (IsPlanted(Bug::kNoDuplicateCheck)) return false;
  const SpaceDraft& space = context.apply.space;
  const RequestId& id = entry.revision.request_id;
  auto bytes = context.apply.batch.Get(Family::kRequests, RequestKey(space.id(), {id, entry.line}));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return false;
  auto request = DecodeRequest(**bytes);
  if (!request.ok()) return request.status();
  const Version& other = request->result.version;
  const bool same = request->fingerprint == entry.fingerprint || entry.fingerprint == 0;
  return same && other != entry.revision.version && space.log.logged.Covers(other);
}

absl::Status AppendAssignment(const LogContext& context) {
  SpaceDraft& space = context.apply.space;
  std::vector<NodeId> holders = space.log.holders;
  if (holders.empty()) holders.push_back(context.self);
  const Version position = space.log.NextPosition();
  const LogEntry entry = MakeAssignment(context.apply, position, context.now, std::move(holders));
  return space.Append(context.apply.batch, position, entry, EncodeLogEntry(entry));
}

// Appends a change of an outbox, which keeps its origin.
absl::Status MergeOne(const LogContext& context, LogEntry& entry, AnalyzedText* text) {
  SpaceDraft& space = context.apply.space;
  auto duplicate = IsDuplicate(context, entry);
  if (!duplicate.ok()) return duplicate.status();
  entry.duplicate = *duplicate;
  entry.previous = space.log.logged.SequenceOf(entry.revision.version.epoch);
  absl::Status status = ApplyEntry(context.apply, entry, text);
  if (!status.ok()) return status;
  status =
      space.Append(context.apply.batch, space.log.NextPosition(), entry, EncodeLogEntry(entry));
  if (status.ok()) RememberRequest(context.apply, entry);
  return status;
}

absl::StatusOr<std::vector<LogEntry>> ReadOutbox(const LogContext& context) {
  std::vector<LogEntry> entries;
  auto cursor =
      context.apply.batch.Scan(Family::kOutbox, SpacePrefix(context.apply.space.id().view()));
  for (; cursor->valid(); cursor->Next()) {
    auto entry = DecodeLogEntry(cursor->value());
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }
  if (absl::Status status = cursor->status(); !status.ok()) return status;
  return entries;
}

// Of these, the ones whose memory still has a tombstone.
absl::StatusOr<std::vector<Tombstone>> StillThere(const LogContext& context,
                                                  const std::vector<Tombstone>& tombstones) {
  std::vector<Tombstone> there;
  for (const Tombstone& tombstone : tombstones) {
    const std::string key = MemoryKey(context.apply.space.id(), MemoryId(tombstone.name));
    auto found = context.apply.batch.Get(Family::kTombstones, key);
    if (!found.ok()) return found.status();
    if (found->has_value()) there.push_back(tombstone);
  }
  return there;
}

absl::Status AppendReceived(const LogContext& context, ReceivedEntry& received) {
  absl::Status status = ApplyEntry(context.apply, received.entry, &received.text);
  if (!status.ok()) return status;
  status = context.apply.space.Append(context.apply.batch, received.position, received.entry,
                                      received.bytes);
  if (status.ok()) RememberRequest(context.apply, received.entry);
  return status;
}

}  // namespace

bool InOffice(const SpaceLog& log, const NodeId& self) {
  return log.holder.IsPrimary(self) && log.last().epoch == log.holder.epoch();
}

absl::Status DropMerged(const LogContext& context) {
  auto outbox = ReadOutbox(context);
  if (!outbox.ok()) return outbox.status();
  for (const LogEntry& entry : *outbox) {
    if (!context.apply.space.log.logged.Covers(entry.revision.version)) continue;
    context.begun = true;
    context.apply.space.DropFromOutbox(context.apply.batch, entry);
  }
  return absl::OkStatus();
}

absl::Status ApplyCommand(const LogContext& context, const BindCommand& bind) {
  SpaceDraft& space = context.apply.space;
  const HolderState& holder = space.log.holder;
  if (bind.state.promised() < holder.promised() || bind.state.epoch() < holder.epoch()) {
    return Fenced(context, bind.state.epoch());
  }
  context.begun = true;
  space.log.holder = bind.state;
  if (space.log.holders.empty()) {
    space.log.holders = bind.holders;
    space.log.incomplete = bind.state.epoch().counter > 0 || bind.state.promised() > 1;
    space.log.forgetful = space.log.incomplete;
  }
  space.log_changed = true;
  return absl::OkStatus();
}

absl::Status ApplyCommand(const LogContext& context, const TakeOfficeCommand& office) {
  SpaceDraft& space = context.apply.space;
  const Epoch& epoch = office.epoch;
  if (InOffice(space.log, context.self) && space.log.holder.epoch() == epoch) {
    return absl::OkStatus();  // said twice
  }
  if (epoch.primary != context.self || !space.log.holder.Accepts(epoch) ||
      space.log.last().epoch >= epoch) {
    return Fenced(context, epoch);
  }
  if (space.log.incomplete) return Refused(space.id(), "the copy here is incomplete");
  auto outbox = ReadOutbox(context);
  if (!outbox.ok()) return outbox.status();
  context.begun = true;
  space.log.holder.Follow(epoch);
  absl::Status status = AppendAssignment(context);
  for (LogEntry& entry : *outbox) {
    if (!status.ok()) return status;
    if (space.log.logged.Covers(entry.revision.version)) continue;
    status = MergeOne(context, entry, nullptr);
  }
  // Nothing is left there, unless the log has a base that the next primary may lack.
  if (!status.ok() || space.log.base != Version()) return status;
  return DropMerged(context);
}

absl::Status ApplyCommand(const LogContext& context, AppendCommand& append) {
  const SpaceLog& log = context.apply.space.log;
  if (append.epoch != log.holder.epoch() || !log.holder.Accepts(append.epoch) ||
      append.epoch.primary == context.self) {
    return Fenced(context, append.epoch);
  }
  if (append.previous != log.last()) return Gap(context, append.previous);
  EpochHistory history = log.history;
  for (const ReceivedEntry& received : append.entries) {
    if (!history.MayAppend(received.position)) return Gap(context, received.position);
    history.Append(received.position);
  }
  for (ReceivedEntry& received : append.entries) {
    context.begun = true;
    absl::Status status = AppendReceived(context, received);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ApplyCommand(const LogContext& context, MergeCommand& merge) {
  const SpaceLog& log = context.apply.space.log;
  if (!InOffice(log, context.self) || merge.epoch != log.holder.epoch()) {
    return Fenced(context, merge.epoch);
  }
  for (ReceivedEntry& received : merge.changes) {
    const Version& origin = received.entry.revision.version;
    if (log.logged.Covers(origin)) continue;
    // What comes after a gap may have seen what is missing.
    if (log.logged.SequenceOf(origin.epoch) < received.previous) return absl::OkStatus();
    context.begun = true;
    absl::Status status = MergeOne(context, received.entry, &received.text);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ApplyCommand(const LogContext& context, const CollectCommand& collect) {
  SpaceDraft& space = context.apply.space;
  if (!InOffice(space.log, context.self) || collect.epoch != space.log.holder.epoch()) {
    return Fenced(context, collect.epoch);
  }
  auto there = StillThere(context, collect.tombstones);
  if (!there.ok()) return there.status();
  if (there->empty()) return absl::OkStatus();
  context.begun = true;
  const Version position = space.log.NextPosition();
  const LogEntry entry = MakeCollection(context.apply, position, context.now, *std::move(there));
  absl::Status applied = ApplyEntry(context.apply, entry, nullptr);
  if (!applied.ok()) return applied;
  return space.Append(context.apply.batch, position, entry, EncodeLogEntry(entry));
}

}  // namespace engram::memory
