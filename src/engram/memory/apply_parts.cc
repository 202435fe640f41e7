#include "engram/memory/apply_parts.h"

#include "engram/memory/errors.h"
#include "engram/memory/keys.h"

namespace engram::memory::parts {

using storage::Family;

absl::StatusOr<std::optional<MemoryRecord>> ReadRecord(const ApplyContext& context,
                                                       const MemoryId& id) {
  auto bytes = context.batch.Get(Family::kMemories, MemoryKey(context.space.id(), id));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<MemoryRecord>();
  auto record = DecodeMemory(**bytes);
  if (!record.ok()) return record.status();
  return std::optional<MemoryRecord>(*std::move(record));
}

absl::StatusOr<MemoryRecord> ReadAlive(const ApplyContext& context, const MemoryId& id) {
  auto record = ReadRecord(context, id);
  if (!record.ok()) return record.status();
  if (record->has_value() && (*record)->alive) return **std::move(record);
  return NoSuchMemory(context.space.id(), id);
}

absl::Status RemoveLinks(const ApplyContext& context, const MemoryId& from) {
  std::vector<std::string> keys;
  auto cursor = context.batch.Scan(Family::kLinks, LinksPrefix(context.space.id(), from));
  for (; cursor->valid(); cursor->Next()) keys.emplace_back(cursor->key());
  absl::Status status = cursor->status();
  if (!status.ok()) return status;
  cursor.reset();  // the batch must not change under a cursor
  for (const std::string& key : keys) context.batch.Delete(Family::kLinks, key);
  return absl::OkStatus();
}

void Uncount(SpaceRecord& space, const MemoryRecord& memory) {
  space.memories -= 1;
  space.words -= memory.text_length;
  space.vectors -= memory.has_embedding ? 1 : 0;
}

void AppendLog(const ApplyContext& context, const LogEntry& entry) {
  context.batch.Put(Family::kLog, LogKey(context.space.id(), entry.revision.version),
                    EncodeLogEntry(entry));
}

}  // namespace engram::memory::parts
