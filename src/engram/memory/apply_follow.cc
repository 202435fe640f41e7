// Following another primary: what its log lacks goes from this node's log into its outbox.
#include "engram/memory/apply_log.h"
#include "engram/memory/errors.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using replication::SpaceLog;
using storage::Family;

struct CutEntry {
  Version position;
  LogEntry entry;
  bool merged() const { return entry.revision.version != position; }
};

// Nothing if the log does not reach back that far.
absl::StatusOr<std::optional<std::vector<CutEntry>>> ReadAfter(const LogContext& context,
                                                               const Version& common) {
  const SpaceDraft& space = context.apply.space;
  const std::string prefix = SpacePrefix(space.id().view());
  std::vector<CutEntry> entries;
  replication::EpochHistory history = space.log.history;
  history.CutAfter(common);
  auto cursor = context.apply.batch.Scan(Family::kLog, prefix);
  const std::string common_key = LogKey(space.id(), common);
  cursor->Seek(common == Version() ? prefix : common_key);
  if (cursor->valid() && cursor->key() == common_key) cursor->Next();
  for (; cursor->valid(); cursor->Next()) {
    auto position = PositionOf(space.id(), cursor->key());
    if (!position || !history.MayAppend(*position)) return std::nullopt;
    history.Append(*position);
    auto entry = DecodeLogEntry(cursor->value());
    if (!entry.ok()) return entry.status();
    entries.push_back({*position, *std::move(entry)});
  }
  if (absl::Status status = cursor->status(); !status.ok()) return status;
  if (history != space.log.history) return std::nullopt;
  return entries;
}

// The log has these no more: each stream ends where it did before them.
void Unlog(SpaceLog& log, const std::vector<CutEntry>& cut) {
  for (size_t i = cut.size(); i > 0; --i) {
    const CutEntry& at = cut[i - 1];
    if (at.merged()) log.logged.Set({at.entry.revision.version.epoch, at.entry.previous});
    log.logged.Set({at.position.epoch, at.position.sequence - 1});
  }
}

// The assignment that is the newest one now. The first entry of an epoch is one, and the only one
// until holders change within an epoch.
absl::Status FindAssignment(const LogContext& context) {
  SpaceDraft& space = context.apply.space;
  if (space.log.history.Contains(space.log.assignment)) return absl::OkStatus();
  const Version last = space.log.last();
  space.log.assignment = last == Version() ? last : Version{last.epoch, 1};
  auto bytes = context.apply.batch.Get(Family::kLog, LogKey(space.id(), space.log.assignment));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return absl::OkStatus();  // trimmed
  auto entry = DecodeLogEntry(**bytes);
  if (!entry.ok()) return entry.status();
  if (!entry->holders.empty()) space.log.holders = entry->holders;
  return absl::OkStatus();
}

// An entry that was a duplicate there is none here any more, as far as this node can tell: its
// effect comes back until a primary says again that it is one.
absl::Status MoveToOutbox(const LogContext& context, CutEntry& cut) {
  const ApplyContext& apply = context.apply;
  apply.batch.Delete(Family::kLog, LogKey(apply.space.id(), cut.position));
  if (cut.entry.operation == LogOperation::kAssign) return absl::OkStatus();
  const bool was_duplicate = std::exchange(cut.entry.duplicate, false);
  cut.entry.previous = 0;
  absl::Status added = apply.space.AddToOutbox(apply.batch, cut.entry);
  if (!added.ok()) return added;
  return was_duplicate ? ApplyEntry(apply, cut.entry, nullptr) : absl::OkStatus();
}

}  // namespace

absl::Status ApplyCommand(const LogContext& context, const FollowCommand& follow) {
  SpaceDraft& space = context.apply.space;
  if (follow.epoch.primary == context.self || !space.log.holder.Accepts(follow.epoch)) {
    return Refused(space.id(), "the epoch to follow is older than what this node is bound to");
  }
  const Version common = space.log.history.CommonWith(follow.history);
  std::optional<std::vector<CutEntry>> cut(std::in_place);
  if (common != space.log.last()) {
    auto read = ReadAfter(context, common);
    if (!read.ok()) return read.status();
    cut = *std::move(read);
  }
  context.begun = true;
  space.log.holder.Follow(follow.epoch);
  space.log_changed = true;
  // What was taken over as a copy never came as entries; what came after it as an entry, and from
  // here at first, is still in the outbox. No majority had it.
  if (!cut.has_value()) {
    ForgetLog(context);
    return absl::OkStatus();
  }
  Unlog(space.log, *cut);
  space.log.history.CutAfter(common);
  for (CutEntry& entry : *cut) {
    absl::Status moved = MoveToOutbox(context, entry);
    if (!moved.ok()) return moved;
  }
  return FindAssignment(context);
}

}  // namespace engram::memory
