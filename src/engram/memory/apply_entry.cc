#include <algorithm>
#include <span>
#include <tuple>

#include "engram/memory/apply.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using storage::Family;

LinkRecord LinkOf(const Link& link, const LogEntry& entry) {
  LinkRecord record;
  record.to = link.to;
  record.weight = link.weight;
  record.clock = entry.revision.clock;
  record.clock_counter = entry.revision.clock_counter;
  record.origin = entry.revision.version;
  if (entry.operation == LogOperation::kLink) record.seen = entry.seen;
  return record;
}

absl::StatusOr<MemoryChange> ChangeOf(const LogEntry& entry) {
  MemoryChange change;
  change.origin = entry.revision.version;
  change.seen = entry.seen;
  for (const Link& link : entry.links) change.links.push_back(LinkOf(link, entry));
  if (entry.operation == LogOperation::kLink) {
    change.kind = MemoryChange::Kind::kLink;
    return change;
  }
  auto revision = DecodeContent(entry.body);
  if (!revision.ok()) return revision.status();
  change.revision = *std::move(revision);
  change.revision.seen = entry.seen;
  change.revision.memory.revision = entry.revision;
  change.revision.memory.embedding = entry.embedding;
  return change;
}

// The earliest embedding fixes the dimension, by the clock that all holders share; so they come to
// the same one whatever the order in which they hear of it. An embedding of another dimension, from
// the other side of a split, is kept, and its memory found by text only. A duplicate counts, too:
// who has it in an outbox has counted it.
void FixDimension(SpaceRecord& space, const LogEntry& entry) {
  if (entry.embedding.empty()) return;
  auto rank = [](const Revision& revision) {
    return std::tie(revision.clock, revision.clock_counter, revision.version);
  };
  if (space.dimension != 0 && rank(space.dimension_by) <= rank(entry.revision)) return;
  space.dimension = static_cast<uint32_t>(entry.embedding.size());
  space.dimension_by = entry.revision;
}

// A link needs the links to its target only; of one that is a duplicate it must be known whether
// any link is left.
absl::StatusOr<MemoryDraft> ReadFor(ApplyContext context, const LogEntry& entry) {
  if (entry.operation != LogOperation::kLink || entry.duplicate || entry.links.empty()) {
    return MemoryDraft::Read(context, entry.id);
  }
  return MemoryDraft::ReadWithLinksTo(context, entry.id, entry.links.front().to);
}

// Whichever of them this copy still has. An element goes by its name alone, so it makes no
// difference what has come to its memory before, or will come after, on this node or another.
absl::Status CollectAll(ApplyContext context, std::span<const replication::Tombstone> tombstones) {
  while (!tombstones.empty()) {
    const std::string& name = tombstones.front().name;
    const auto end = std::find_if(tombstones.begin(), tombstones.end(),
                                  [&](const auto& other) { return other.name != name; });
    const auto count = static_cast<size_t>(end - tombstones.begin());
    auto memory = MemoryDraft::Read(context, MemoryId(name));
    if (!memory.ok()) return memory.status();
    memory->Collect(tombstones.first(count));
    tombstones = tombstones.subspan(count);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyEntry(ApplyContext context, const LogEntry& entry, AnalyzedText* text) {
  if (!entry.IsOfRequest()) {
    absl::Status collected = CollectAll(context, entry.collected);
    if (collected.ok()) context.space.FollowClock(entry.revision);
    return collected;
  }
  auto memory = ReadFor(context, entry);
  if (!memory.ok()) return memory.status();
  return ApplyEntryTo(*memory, context, entry, text);
}

absl::Status ApplyEntryTo(MemoryDraft& memory, ApplyContext context, const LogEntry& entry,
                          AnalyzedText* text) {
  auto change = ChangeOf(entry);
  if (!change.ok()) return change.status();
  absl::Status applied = memory.Apply(*std::move(change),
                                      entry.duplicate ? Effect::kDuplicate : Effect::kNormal, text);
  if (!applied.ok()) return applied;
  context.space.FollowClock(entry.revision);
  FixDimension(context.space.record, entry);
  return absl::OkStatus();
}

void RememberRequest(ApplyContext context, const LogEntry& entry) {
  const RequestId& id = entry.revision.request_id;
  if (entry.duplicate || !entry.IsOfRequest()) return;
  WriteResult result;
  result.id = entry.id;
  result.version = entry.revision.version;
  result.created = entry.created;
  result.space_created = entry.space_created;
  context.batch.Put(Family::kRequests, RequestKey(context.space.id(), {id, entry.line}),
                    EncodeRequest({result, entry.fingerprint}));
}

LogEntry MakeCollection(ApplyContext context, const Version& position, WallMillis now,
                        std::vector<replication::Tombstone> tombstones) {
  LogEntry entry;
  entry.operation = LogOperation::kCollect;
  entry.revision = context.space.NextRevision(now, position, RequestId());
  entry.collected = std::move(tombstones);
  return entry;
}

LogEntry MakeAssignment(ApplyContext context, const Version& position, WallMillis now,
                        std::vector<NodeId> holders) {
  LogEntry entry;
  entry.operation = LogOperation::kAssign;
  entry.revision = context.space.NextRevision(now, position, RequestId());
  entry.holders = std::move(holders);
  return entry;
}

}  // namespace engram::memory
