#include <algorithm>

#include "engram/memory/apply_parts.h"
#include "engram/memory/state_tag.h"
#include "engram/memory/validate.h"

namespace engram::memory {
namespace {

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
RevisionRecord MakeRevision(StoreCommand& command, const RevisionRecord* before, WallMillis now) {
  RevisionRecord record;
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
  return record;
}

}  // namespace

absl::StatusOr<WriteResult> ApplyStore(const WriteContext& context, PreparedStore& store) {
  StoreCommand& command = store.command;
  const uint32_t dimension = context.apply.space.record.dimension;
  absl::Status fits = CheckDimension(command.embedding.size(), dimension, command.space);
  if (!fits.ok()) return fits;
  auto memory = MemoryDraft::Read(context.apply, IdOf(command));
  if (!memory.ok()) return memory.status();
  if (command.if_state.has_value() && *command.if_state != TagOf(memory->state())) {
    return ChangedMeanwhile(command.space, memory->id());
  }

  LogEntry entry = parts::MakeEntry(context, LogOperation::kStore, memory->id(), command.identity);
  entry.seen = SeenBy(memory->state());
  entry.created = !memory->alive();
  RevisionRecord revision = MakeRevision(command, Shown(memory->state()), context.now);
  revision.text_length = store.text.length;
  entry.body = EncodeContent(revision);
  entry.embedding = std::move(command.embedding);
  entry.links = Canonical(command.links);
  return parts::Log(context, *memory, entry, &store.text);
}

}  // namespace engram::memory
