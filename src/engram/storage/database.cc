#include "engram/storage/database.h"

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

Database::Rep::~Rep() {
  if (db == nullptr) return;
  for (rocksdb::ColumnFamilyHandle* family : families) db->DestroyColumnFamilyHandle(family);
}

Database::Database(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

Database::~Database() = default;

absl::StatusOr<std::optional<std::string>> Database::Get(Family family, std::string_view key,
                                                         const Snapshot* snapshot) const {
  rocksdb::ReadOptions options;
  options.snapshot = Unwrap(snapshot);
  std::string value;
  rocksdb::Status status = rep_->db->Get(options, rep_->Handle(family), ToSlice(key), &value);
  return FromRocksGet(status, std::move(value), rep_->dir);
}

std::unique_ptr<Cursor> Database::Scan(Family family, std::string_view prefix,
                                       const Snapshot* snapshot) const {
  auto cursor = std::make_unique<RocksCursor>(prefix, rep_->dir);
  rocksdb::ReadOptions options = cursor->BoundedOptions();
  options.snapshot = Unwrap(snapshot);
  cursor->Start(
      std::unique_ptr<rocksdb::Iterator>(rep_->db->NewIterator(options, rep_->Handle(family))));
  return cursor;
}

std::unique_ptr<Snapshot> Database::TakeSnapshot() const {
  return std::make_unique<RocksSnapshot>(rep_->db.get());
}

absl::Status Database::Write(Batch& batch, Sync sync) {
  rocksdb::WriteOptions options;
  options.sync = sync == Sync::kYes;
  return FromRocks(rep_->db->Write(options, batch.rep_->batch.GetWriteBatch()), rep_->dir,
                   "write to");
}

absl::Status Database::DeleteRange(Family family, std::string_view begin, std::string_view end) {
  return FromRocks(rep_->db->DeleteRange(rocksdb::WriteOptions(), rep_->Handle(family),
                                         ToSlice(begin), ToSlice(end)),
                   rep_->dir, "delete from");
}

}  // namespace engram::storage
