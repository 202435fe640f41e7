#include "engram/memory/apply_parts.h"
#include "engram/memory/errors.h"
#include "engram/memory/state_tag.h"

namespace engram::memory {

absl::StatusOr<WriteResult> ApplyForget(const WriteContext& context, const ForgetCommand& forget) {
  auto memory = MemoryDraft::Read(context.apply, forget.id);
  if (!memory.ok()) return memory.status();
  if (!memory->alive()) return NoSuchMemory(forget.space, forget.id);
  if (forget.if_state.has_value() && *forget.if_state != TagOf(memory->state())) {
    return ChangedMeanwhile(forget.space, forget.id);
  }

  LogEntry entry = parts::MakeEntry(context, LogOperation::kForget, forget.id, forget.identity);
  entry.seen = SeenBy(memory->state());
  RevisionRecord tombstone;
  tombstone.alive = false;
  tombstone.memory.updated_at = context.now;
  entry.body = EncodeContent(tombstone);
  return parts::Log(context, *memory, entry, nullptr);
}

absl::StatusOr<WriteResult> ApplyLink(const WriteContext& context, const LinkCommand& link) {
  auto from = MemoryDraft::ReadWithLinksTo(context.apply, link.from, link.to);
  if (!from.ok()) return from.status();
  if (!from->alive()) return NoSuchMemory(link.space, link.from);
  auto to = MemoryDraft::ReadWithLinksTo(context.apply, link.to, link.from);
  if (!to.ok()) return to.status();
  if (!to->alive()) return NoSuchMemory(link.space, link.to);

  LogEntry entry = parts::MakeEntry(context, LogOperation::kLink, link.from, link.identity);
  entry.seen = SeenBy(from->state().links, link.to);
  entry.links.push_back({link.to, link.weight});
  return parts::Log(context, *from, entry, nullptr);
}

}  // namespace engram::memory
