// Private to storage/: what its sources share about RocksDB.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/utilities/write_batch_with_index.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "engram/storage/database.h"

namespace engram::storage {

class RocksDatabase final : public Database {
 public:
  using Families = std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount>;

  RocksDatabase(std::filesystem::path dir, std::unique_ptr<rocksdb::DB> db, Families families);
  ~RocksDatabase() override;

  absl::StatusOr<std::optional<std::string>> Get(Family family, std::string_view key,
                                                 const Snapshot* snapshot) const override;
  std::unique_ptr<Cursor> Scan(Family family, std::string_view prefix,
                               const Snapshot* snapshot) const override;
  std::unique_ptr<Snapshot> TakeSnapshot() const override;
  std::unique_ptr<Batch> MakeBatch() const override;
  absl::Status Write(Batch& batch, Sync sync) override;
  absl::Status DeleteRange(Family family, std::string_view begin, std::string_view end) override;

  const std::filesystem::path& dir() const { return dir_; }
  rocksdb::DB* db() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* Handle(Family family) const {
    return families_[static_cast<size_t>(family)];
  }

 private:
  const std::filesystem::path dir_;
  const std::unique_ptr<rocksdb::DB> db_;
  const Families families_;
};

class RocksBatch final : public Batch {
 public:
  explicit RocksBatch(const RocksDatabase& database);

  void Put(Family family, std::string_view key, std::string_view value) override;
  void Delete(Family family, std::string_view key) override;
  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 std::string_view key) const override;
  std::unique_ptr<Cursor> Scan(Family family, std::string_view prefix) const override;
  bool empty() const override;

  rocksdb::WriteBatch* write_batch() { return batch_.GetWriteBatch(); }

 private:
  const RocksDatabase& database_;
  mutable rocksdb::WriteBatchWithIndex batch_;  // its readers are not const
};

inline rocksdb::Slice ToSlice(std::string_view s) { return rocksdb::Slice(s.data(), s.size()); }
inline std::string_view ToView(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

// `doing` completes "cannot ...".
absl::Status FromRocks(const rocksdb::Status& status, const std::filesystem::path& dir,
                       std::string_view doing);

// The value that RocksDB found, nullopt for not found, or the error.
absl::StatusOr<std::optional<std::string>> FromRocksGet(const rocksdb::Status& status,
                                                        std::string value,
                                                        const std::filesystem::path& dir);

// The first key after all keys that start with `prefix`. REQUIRES: prefix has a byte other than
// 0xff.
std::string PrefixEnd(std::string_view prefix);

// A cursor over what `iterator` shows of the keys in [prefix, end); `end` must be its upper bound
// and stay alive with it. It goes to the first of them only when somebody wants to know: to find
// that, RocksDB walks over everything that DeleteRange has dropped before it.
class RocksCursor final : public Cursor {
 public:
  RocksCursor(std::string_view prefix, std::filesystem::path dir);
  // To be given to RocksDB when making the iterator.
  rocksdb::ReadOptions BoundedOptions() const;
  void Start(std::unique_ptr<rocksdb::Iterator> iterator) { iterator_ = std::move(iterator); }

  bool valid() const override;
  void Next() override { iterator_->Next(); }
  void Seek(std::string_view key) override;
  std::string_view key() const override { return ToView(iterator_->key()); }
  std::string_view value() const override { return ToView(iterator_->value()); }
  absl::Status status() const override;

 private:
  const std::string prefix_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  const std::filesystem::path dir_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  mutable bool somewhere_ = false;  // the iterator has been positioned
};

}  // namespace engram::storage
