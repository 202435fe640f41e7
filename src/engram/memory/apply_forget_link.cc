#include "engram/memory/apply_parts.h"
#include "engram/memory/keys.h"

namespace engram::memory {

using storage::Family;

absl::StatusOr<WriteResult> ApplyForget(ApplyContext context, const ForgetCommand& forget) {
  auto before = parts::ReadAlive(context, forget.id);
  if (!before.ok()) return before.status();
  if (before->has_links) {
    absl::Status removed = parts::RemoveLinks(context, forget.id);
    if (!removed.ok()) return removed;
  }

  MemoryRecord tombstone;
  tombstone.alive = false;
  tombstone.memory.updated_at = context.now;
  tombstone.memory.revision = context.space.NextRevision(context.now, forget.identity.request_id);
  parts::Uncount(context.space.record, *before);

  LogEntry entry;
  entry.operation = LogOperation::kForget;
  entry.id = forget.id;
  entry.revision = tombstone.memory.revision;
  entry.line = forget.identity.line;
  entry.body = EncodeMemory(tombstone);
  const std::string key = MemoryKey(context.space.id(), forget.id);
  context.batch.Put(Family::kMemories, key, entry.body);
  context.batch.Delete(Family::kTerms, key);
  if (before->has_embedding) context.batch.Delete(Family::kVectors, key);
  parts::AppendLog(context, entry);
  IndexChange change;
  change.kind = IndexChange::Kind::kRemove;
  change.id = forget.id;
  context.space.changes.push_back(std::move(change));
  return WriteResult{.id = forget.id, .version = entry.revision.version};
}

absl::StatusOr<WriteResult> ApplyLink(ApplyContext context, const LinkCommand& link) {
  auto from = parts::ReadAlive(context, link.from);
  if (!from.ok()) return from.status();
  auto to = parts::ReadAlive(context, link.to);
  if (!to.ok()) return to.status();

  // The mark spares the reader of a memory without links the search for them. A link is no new
  // revision of the memory.
  if (!from->has_links) {
    from->has_links = true;
    context.batch.Put(Family::kMemories, MemoryKey(context.space.id(), link.from),
                      EncodeMemory(*from));
  }
  context.batch.Put(Family::kLinks, LinkKey(context.space.id(), link.from, link.to),
                    EncodeWeight(link.weight));
  LogEntry entry;
  entry.operation = LogOperation::kLink;
  entry.id = link.from;
  entry.revision = context.space.NextRevision(context.now, link.identity.request_id);
  entry.line = link.identity.line;
  entry.links.push_back({link.to, link.weight});
  parts::AppendLog(context, entry);
  IndexChange change;
  change.kind = IndexChange::Kind::kLink;
  change.id = link.from;
  change.links = entry.links;
  context.space.changes.push_back(std::move(change));
  return WriteResult{.id = link.from, .version = entry.revision.version};
}

}  // namespace engram::memory
