#include <cstdlib>

#include "engram/storage/rocks.h"

namespace engram::storage {
namespace {

// Writing into memory cannot fail but for misuse.
void Require(const rocksdb::Status& status) {
  if (!status.ok()) std::abort();
}

}  // namespace

// Keys written twice keep only the last value: several writes of one group may touch the same
// memory.
RocksBatch::RocksBatch(const RocksDatabase& database)
    : database_(database), batch_(rocksdb::BytewiseComparator(), 0, /*overwrite_key=*/true) {}

void RocksBatch::Put(Family family, std::string_view key, std::string_view value) {
  Require(batch_.Put(database_.Handle(family), ToSlice(key), ToSlice(value)));
}

void RocksBatch::Delete(Family family, std::string_view key) {
  Require(batch_.Delete(database_.Handle(family), ToSlice(key)));
}

absl::StatusOr<std::optional<std::string>> RocksBatch::Get(Family family,
                                                           std::string_view key) const {
  std::string value;
  rocksdb::Status status = batch_.GetFromBatchAndDB(database_.db(), rocksdb::ReadOptions(),
                                                    database_.Handle(family), ToSlice(key), &value);
  return FromRocksGet(status, std::move(value), database_.dir());
}

std::unique_ptr<Cursor> RocksBatch::Scan(Family family, std::string_view prefix) const {
  auto cursor = std::make_unique<RocksCursor>(prefix, database_.dir());
  rocksdb::ReadOptions options = cursor->BoundedOptions();
  rocksdb::ColumnFamilyHandle* handle = database_.Handle(family);
  rocksdb::Iterator* base = database_.db()->NewIterator(options, handle);
  cursor->Start(
      std::unique_ptr<rocksdb::Iterator>(batch_.NewIteratorWithBase(handle, base, &options)));
  return cursor;
}

bool RocksBatch::empty() const { return batch_.GetWriteBatch()->Count() == 0; }

}  // namespace engram::storage
