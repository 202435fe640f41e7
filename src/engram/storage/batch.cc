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
Batch::Batch(const Database& database)
    : rep_(new Rep{*database.rep_, rocksdb::WriteBatchWithIndex(rocksdb::BytewiseComparator(), 0,
                                                                /*overwrite_key=*/true)}) {}

Batch::~Batch() = default;

void Batch::Put(Family family, std::string_view key, std::string_view value) {
  Require(rep_->batch.Put(rep_->database.Handle(family), ToSlice(key), ToSlice(value)));
}

void Batch::Delete(Family family, std::string_view key) {
  Require(rep_->batch.Delete(rep_->database.Handle(family), ToSlice(key)));
}

absl::StatusOr<std::optional<std::string>> Batch::Get(Family family, std::string_view key) const {
  std::string value;
  rocksdb::Status status =
      rep_->batch.GetFromBatchAndDB(rep_->database.db.get(), rocksdb::ReadOptions(),
                                    rep_->database.Handle(family), ToSlice(key), &value);
  return FromRocksGet(status, std::move(value), rep_->database.dir);
}

std::unique_ptr<Cursor> Batch::Scan(Family family, std::string_view prefix) const {
  auto cursor = std::make_unique<RocksCursor>(prefix, rep_->database.dir);
  rocksdb::ReadOptions options = cursor->BoundedOptions();
  rocksdb::ColumnFamilyHandle* handle = rep_->database.Handle(family);
  rocksdb::Iterator* base = rep_->database.db->NewIterator(options, handle);
  cursor->Start(
      std::unique_ptr<rocksdb::Iterator>(rep_->batch.NewIteratorWithBase(handle, base, &options)));
  return cursor;
}

bool Batch::empty() const { return rep_->batch.GetWriteBatch()->Count() == 0; }

}  // namespace engram::storage
