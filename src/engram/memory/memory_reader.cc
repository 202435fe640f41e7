#include "engram/memory/memory_reader.h"

#include "engram/memory/keys.h"
#include "engram/memory/records.h"

namespace engram::memory {
namespace {

using storage::Database;
using storage::Family;
using storage::Snapshot;

absl::StatusOr<std::optional<MemoryRecord>> ReadAlive(const Database& database,
                                                      const std::string& key,
                                                      const Snapshot* snapshot) {
  auto bytes = database.Get(Family::kMemories, key, snapshot);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<MemoryRecord>();
  auto record = DecodeMemory(**bytes);
  if (!record.ok()) return record.status();
  const bool alive = !record->revisions.empty() && record->revisions.front().alive;
  if (!alive) return std::optional<MemoryRecord>();
  return std::optional<MemoryRecord>(*std::move(record));
}

absl::Status ReadLinks(const Database& database, const Snapshot& snapshot, Memory& memory) {
  const std::string prefix = LinksPrefix(memory.space, memory.id);
  auto cursor = database.Scan(Family::kLinks, prefix, &snapshot);
  for (; cursor->valid(); cursor->Next()) {
    auto links = DecodeLinks(cursor->value(), MemoryId(cursor->key().substr(prefix.size())));
    if (!links.ok()) return links.status();
    memory.links.push_back({std::move(links->front().to), links->front().weight});
  }
  return cursor->status();
}

absl::Status ReadEmbedding(const Database& database, const Snapshot& snapshot,
                           const std::string& key, Memory& memory) {
  auto bytes = database.Get(Family::kVectors, key, &snapshot);
  if (!bytes.ok()) return bytes.status();
  auto embedding = DecodeEmbedding(bytes->value_or(""));
  if (!embedding.ok()) return embedding.status();
  memory.embedding = *std::move(embedding);
  return absl::OkStatus();
}

// The revision that is shown, with its siblings.
Memory MemoryOf(MemoryRecord record) {
  Memory memory = std::move(record.revisions.front().memory);
  for (size_t i = 1; i < record.revisions.size() && record.revisions[i].alive; ++i) {
    memory.siblings.push_back(std::move(record.revisions[i].memory));
  }
  return memory;
}

}  // namespace

absl::StatusOr<std::optional<Memory>> ReadMemory(const Database& database, const SpaceId& space,
                                                 const MemoryId& id, WithEmbedding with_embedding) {
  const std::string key = MemoryKey(space, id);
  auto record = ReadAlive(database, key, nullptr);
  if (!record.ok()) return record.status();
  auto needs_embedding = [&] {
    return (*record)->revisions.front().has_embedding && with_embedding == WithEmbedding::kYes;
  };
  std::unique_ptr<Snapshot> snapshot;
  if (record->has_value() && ((*record)->has_links || needs_embedding())) {
    // Only what has several parts pays for a snapshot; the record is read again, for it may have
    // changed meanwhile.
    snapshot = database.TakeSnapshot();
    record = ReadAlive(database, key, snapshot.get());
    if (!record.ok()) return record.status();
  }
  if (!record->has_value()) return std::optional<Memory>();

  const bool has_links = (*record)->has_links;
  const bool needs = needs_embedding();
  Memory memory = MemoryOf(**std::move(record));
  memory.space = space;
  memory.id = id;
  absl::Status status;
  if (snapshot != nullptr && has_links) status = ReadLinks(database, *snapshot, memory);
  if (status.ok() && snapshot != nullptr && needs) {
    status = ReadEmbedding(database, *snapshot, key, memory);
  }
  if (!status.ok()) return status;
  return std::optional<Memory>(std::move(memory));
}

}  // namespace engram::memory
