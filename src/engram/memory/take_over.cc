#include "engram/memory/take_over.h"

#include "engram/memory/keys.h"
#include "engram/memory/records.h"

namespace engram::memory {
namespace {

using storage::Database;
using storage::Family;

constexpr size_t kBatchMax = 10'000;

// The record comes last, so what was counted before a crash is counted again.
absl::Status FindTombstonesOf(Database& database, const SpaceId& space, SpaceRecord record) {
  auto batch = database.MakeBatch();
  size_t found = 0;
  record.tombstones = 0;
  auto cursor = database.Scan(Family::kMemories, SpacePrefix(space.view()));
  for (; cursor->valid(); cursor->Next()) {
    auto memory = DecodeMemory(cursor->value());
    if (!memory.ok()) return memory.status();
    const size_t tombstones = CountTombstones({std::move(memory->revisions), {}});
    if (tombstones == 0) continue;
    record.tombstones += tombstones;
    batch->Put(Family::kTombstones, cursor->key(), "");
    if (++found % kBatchMax != 0) continue;
    absl::Status written = database.Write(*batch, storage::Sync::kNo);
    if (!written.ok()) return written;
    batch = database.MakeBatch();
  }
  if (absl::Status status = cursor->status(); !status.ok()) return status;
  batch->Put(Family::kCluster, SpaceRecordKey(space), EncodeSpace(record));
  return database.Write(*batch, storage::Sync::kYes);
}

}  // namespace

absl::Status FindTombstones(Database& database) {
  auto cursor = database.Scan(Family::kCluster, kSpaceRecordPrefix);
  for (; cursor->valid(); cursor->Next()) {
    auto record = DecodeSpace(cursor->value());
    if (!record.ok()) return record.status();
    const SpaceId space(cursor->key().substr(kSpaceRecordPrefix.size()));
    absl::Status found = FindTombstonesOf(database, space, *std::move(record));
    if (!found.ok()) return found;
  }
  return cursor->status();
}

}  // namespace engram::memory
