#include "engram/storage/database.h"

#include <utility>

#include "engram/storage/rocks.h"

namespace engram::storage {
namespace {

class RocksSnapshot final : public Snapshot {
 public:
  explicit RocksSnapshot(rocksdb::DB* db) : snapshot_(db) {}
  const rocksdb::Snapshot* get() const { return snapshot_.snapshot(); }

 private:
  mutable rocksdb::ManagedSnapshot snapshot_;  // its getter is not const
};

const rocksdb::Snapshot* Unwrap(const Snapshot* snapshot) {
  return snapshot == nullptr ? nullptr : static_cast<const RocksSnapshot*>(snapshot)->get();
}

}  // namespace

RocksDatabase::RocksDatabase(std::filesystem::path dir, std::unique_ptr<rocksdb::DB> db,
                             Families families)
    : dir_(std::move(dir)), db_(std::move(db)), families_(families) {}

RocksDatabase::~RocksDatabase() {
  for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
}

absl::StatusOr<std::optional<std::string>> RocksDatabase::Get(Family family, std::string_view key,
                                                              const Snapshot* snapshot) const {
  rocksdb::ReadOptions options;
  options.snapshot = Unwrap(snapshot);
  std::string value;
  rocksdb::Status status = db_->Get(options, Handle(family), ToSlice(key), &value);
  return FromRocksGet(status, std::move(value), dir_);
}

std::unique_ptr<Cursor> RocksDatabase::Scan(Family family, std::string_view prefix,
                                            const Snapshot* snapshot) const {
  auto cursor = std::make_unique<RocksCursor>(prefix, dir_);
  rocksdb::ReadOptions options = cursor->BoundedOptions();
  options.snapshot = Unwrap(snapshot);
  cursor->Start(std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, Handle(family))));
  return cursor;
}

std::unique_ptr<Snapshot> RocksDatabase::TakeSnapshot() const {
  return std::make_unique<RocksSnapshot>(db_.get());
}

std::unique_ptr<Batch> RocksDatabase::MakeBatch() const {
  return std::make_unique<RocksBatch>(*this);
}

absl::Status RocksDatabase::Write(Batch& batch, Sync sync) {
  rocksdb::WriteOptions options;
  options.sync = sync == Sync::kYes;
  return FromRocks(db_->Write(options, static_cast<RocksBatch&>(batch).write_batch()), dir_,
                   "write to");
}

absl::Status RocksDatabase::DeleteRange(Family family, std::string_view begin,
                                        std::string_view end) {
  return FromRocks(
      db_->DeleteRange(rocksdb::WriteOptions(), Handle(family), ToSlice(begin), ToSlice(end)), dir_,
      "delete from");
}

}  // namespace engram::storage
