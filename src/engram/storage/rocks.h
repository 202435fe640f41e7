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

struct Database::Rep {
  std::filesystem::path dir;
  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount> families{};

  ~Rep();
  rocksdb::ColumnFamilyHandle* Handle(Family family) const {
    return families[static_cast<size_t>(family)];
  }
};

struct Batch::Rep {
  const Database::Rep& database;
  rocksdb::WriteBatchWithIndex batch;
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
// and stay alive with it.
class RocksCursor final : public Cursor {
 public:
  RocksCursor(std::string_view prefix, std::filesystem::path dir);
  // To be given to RocksDB when making the iterator.
  rocksdb::ReadOptions BoundedOptions() const;
  void Start(std::unique_ptr<rocksdb::Iterator> iterator);

  bool valid() const override;
  void Next() override { iterator_->Next(); }
  std::string_view key() const override { return ToView(iterator_->key()); }
  std::string_view value() const override { return ToView(iterator_->value()); }
  absl::Status status() const override;

 private:
  const std::string prefix_;
  const std::string end_;
  const rocksdb::Slice end_slice_;
  const std::filesystem::path dir_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

}  // namespace engram::storage
