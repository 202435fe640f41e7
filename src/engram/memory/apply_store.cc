#include <algorithm>

#include "engram/memory/apply_parts.h"
#include "engram/memory/filter.h"
#include "engram/memory/keys.h"
#include "engram/memory/validate.h"

namespace engram::memory {
namespace {

using storage::Family;

// By target; of several to one target the last counts.
std::vector<Link> Canonical(const std::vector<Link>& links) {
  std::map<MemoryId, double> by_target;
  for (const Link& link : links) by_target.insert_or_assign(link.to, link.weight);
  std::vector<Link> canonical;
  for (const auto& [to, weight] : by_target) canonical.push_back({to, weight});
  return canonical;
}

// Each once, where it came first.
std::vector<std::string> Distinct(std::vector<std::string> tags) {
  auto end = tags.begin();
  for (auto tag = tags.begin(); tag != tags.end(); ++tag) {
    if (std::find(tags.begin(), end, *tag) != end) continue;
    if (tag != end) *end = std::move(*tag);
    ++end;
  }
  tags.erase(end, tags.end());
  return tags;
}

// The living memory's value of what the command leaves out, else the default.
MemoryRecord MakeRecord(StoreCommand& command, const MemoryRecord* before, WallMillis now) {
  MemoryRecord record;
  Memory& memory = record.memory;
  memory.content = std::move(command.content);
  memory.tags = Distinct(std::move(command.tags));
  memory.metadata = std::move(command.metadata);
  memory.updated_at = now;
  memory.confidence = before != nullptr ? before->memory.confidence : 1.0;
  memory.kind = before != nullptr ? before->memory.kind : Kind::kEpisodic;
  memory.occurred_at = before != nullptr ? before->memory.occurred_at : now;
  if (command.confidence) memory.confidence = *command.confidence;
  if (command.kind != Kind::kUnspecified) memory.kind = command.kind;
  if (command.occurred_at) memory.occurred_at = *command.occurred_at;
  record.has_embedding = !command.embedding.empty();
  record.has_links = !command.links.empty();
  return record;
}

Attributes AttributesOf(const Memory& memory) {
  return {memory.kind, memory.confidence, memory.occurred_at,
          FeaturesOf(memory.tags, memory.metadata)};
}

void Count(SpaceRecord& space, const MemoryRecord& memory, size_t embedding_numbers) {
  space.memories += 1;
  space.words += memory.text_length;
  if (!memory.has_embedding) return;
  space.vectors += 1;
  space.dimension = static_cast<uint32_t>(embedding_numbers);
}

void PutMemory(const ApplyContext& context, const IndexChange& change, const std::string& body,
               bool had_embedding) {
  const std::string key = MemoryKey(context.space.id(), change.id);
  context.batch.Put(Family::kMemories, key, body);
  context.batch.Put(Family::kTerms, key, EncodeIndexEntry(change.entry));
  if (!change.embedding.empty()) {
    context.batch.Put(Family::kVectors, key, EncodeEmbedding(change.embedding));
  } else if (had_embedding) {
    context.batch.Delete(Family::kVectors, key);
  }
  for (const Link& link : change.links) {
    context.batch.Put(Family::kLinks, LinkKey(context.space.id(), change.id, link.to),
                      EncodeWeight(link.weight));
  }
}

}  // namespace

absl::StatusOr<WriteResult> ApplyStore(ApplyContext context, PreparedStore& store) {
  StoreCommand& command = store.command;
  SpaceRecord& space = context.space.record;
  absl::Status fits = CheckDimension(command.embedding.size(), space.dimension, command.space);
  if (!fits.ok()) return fits;
  const WriteIdentity identity = command.identity;
  const MemoryId id = IdOf(command);
  auto before = parts::ReadRecord(context, id);
  if (!before.ok()) return before.status();
  const MemoryRecord* alive = before->has_value() && (*before)->alive ? &**before : nullptr;
  if (alive != nullptr && alive->has_links) {
    absl::Status removed = parts::RemoveLinks(context, id);
    if (!removed.ok()) return removed;
  }

  MemoryRecord record = MakeRecord(command, alive, context.now);
  record.text_length = store.text.length;
  record.memory.revision = context.space.NextRevision(context.now, identity.request_id);
  if (alive != nullptr) parts::Uncount(space, *alive);
  Count(space, record, command.embedding.size());

  IndexChange change{IndexChange::Kind::kReplace,
                     id,
                     {std::move(store.text), AttributesOf(record.memory)},
                     std::move(command.embedding),
                     Canonical(command.links)};
  LogEntry entry{LogOperation::kStore,
                 id,
                 record.memory.revision,
                 identity.line,
                 EncodeMemory(record),
                 change.embedding,
                 change.links};
  PutMemory(context, change, entry.body, alive != nullptr && alive->has_embedding);
  parts::AppendLog(context, entry);
  context.space.changes.push_back(std::move(change));
  return WriteResult{.id = id, .version = entry.revision.version, .created = alive == nullptr};
}

void ApplyCreateSpace(ApplyContext context, const WriteIdentity& identity) {
  LogEntry entry;
  entry.operation = LogOperation::kCreateSpace;
  entry.revision = context.space.NextRevision(context.now, identity.request_id);
  entry.line = identity.line;
  context.space.record.assignment = entry.revision.version;
  parts::AppendLog(context, entry);
}

}  // namespace engram::memory
