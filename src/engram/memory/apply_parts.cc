#include "engram/memory/apply_parts.h"

namespace engram::memory::parts {

using Where = LogPlace::Where;

LogEntry MakeEntry(const WriteContext& context, LogOperation operation, MemoryId id,
                   const WriteIdentity& identity) {
  LogEntry entry;
  entry.operation = operation;
  entry.id = std::move(id);
  entry.revision =
      context.apply.space.NextRevision(context.now, context.place.origin, identity.request_id);
  entry.line = identity.line;
  entry.fingerprint = context.fingerprint;
  entry.space_created = context.space_created;
  return entry;
}

absl::StatusOr<WriteResult> Log(const WriteContext& context, MemoryDraft& memory, LogEntry& entry,
                                AnalyzedText* text) {
  const ApplyContext& apply = context.apply;
  absl::Status status = ApplyEntryTo(memory, apply, entry, text);
  if (!status.ok()) return status;
  if (context.place.where == Where::kOutbox) {
    status = apply.space.AddToOutbox(apply.batch, entry);
  } else {
    status = apply.space.Append(apply.batch, entry.revision.version, entry, EncodeLogEntry(entry));
    // If the log has to be forgotten, this is the only holder of it.
    const bool settled = apply.space.log.base == Version();
    if (status.ok() && !settled) status = apply.space.AddToOutbox(apply.batch, entry);
  }
  if (!status.ok()) return status;
  RememberRequest(apply, entry);
  WriteResult result;
  result.id = entry.id;
  result.version = entry.revision.version;
  result.created = entry.created;
  result.space_created = entry.space_created;
  result.branch = context.place.where == Where::kOutbox;
  return result;
}

}  // namespace engram::memory::parts
