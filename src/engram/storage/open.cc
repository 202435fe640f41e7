// Opening and tuning; everything that can be wrong with a directory is said here.
#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <system_error>
#include <vector>

#include "engram/base/error.h"
#include "engram/storage/rocks.h"
#include "engram/storage/rocks_events.h"

namespace engram::storage {
namespace {

// By Family. A family is never renamed: the names are in the files.
constexpr std::array<const char*, kFamilyCount> kFamilyNames = {
    "memories", "terms", "links", "vectors", "log", "requests", "cluster", "outbox", "tombstones"};

rocksdb::CompressionType BestCompression() {
  std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  bool lz4 =
      std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  return lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

// Crash recovery stays at RocksDB's default, kPointInTimeRecovery: a crash tears the end of the
// write-ahead log, which is cut at the first damaged record. A synced write lies before anything
// that can be torn, so nothing acknowledged is cut.
rocksdb::DBOptions MakeDbOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.db_write_buffer_size = 64u << 20;
  // What has to be replayed at start: about half a second's worth.
  options.max_total_wal_size = 64u << 20;
  options.max_open_files = 512;
  options.info_log = std::make_shared<RocksLog>();
  options.listeners.push_back(std::make_shared<RocksFailures>());
  options.max_bgerror_resume_count = 0;  // nor of these, which it does not ask the listener about
  options.stats_dump_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions MakeFamilyOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 32u << 20;
  options.compression = BestCompression();
  // Most look-ups of a write (its request id, its memory) find nothing; spare them the search of
  // the memtable.
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

absl::Status Damaged(const std::filesystem::path& dir, std::string_view what) {
  return MakeError(ErrorCode::kStorageFailed,
                   fmt::format("the database in {} is damaged: {}. Restore the directory from a "
                               "copy, or move it away and let the node start with an empty one",
                               dir.string(), what));
}

// RocksDB takes a directory without CURRENT for a new one and would delete the files of the old
// database.
absl::Status CheckNotHeadless(const std::filesystem::path& dir) {
  std::error_code ignored;
  if (std::filesystem::exists(dir / "CURRENT", ignored)) return absl::OkStatus();
  for (const auto& entry : std::filesystem::directory_iterator(dir, ignored)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with("MANIFEST-") || name.ends_with(".sst") || name.ends_with(".log")) {
      return Damaged(dir, fmt::format("it has {} but no file CURRENT", name));
    }
  }
  return absl::OkStatus();
}

absl::Status OpenError(const rocksdb::Status& status, const std::filesystem::path& dir) {
  std::string text = status.ToString();
  if (status.IsIOError() && text.find("lock") != std::string::npos) {
    return InvalidArgument("data_dir",
                           fmt::format("the data directory {} is in use by another process: stop "
                                       "that one or choose another directory",
                                       dir.string()));
  }
  if (status.IsCorruption() || status.IsInvalidArgument() || status.IsPathNotFound()) {
    return Damaged(dir, text);
  }
  return FromRocks(status, dir, "open");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const DatabaseOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.dir, error);
  if (error) {
    return MakeError(ErrorCode::kStorageFailed, fmt::format("cannot create the directory {}: {}",
                                                            options.dir.string(), error.message()));
  }
  if (absl::Status status = CheckNotHeadless(options.dir); !status.ok()) return status;

  rocksdb::ColumnFamilyOptions family =
      MakeFamilyOptions(rocksdb::NewLRUCache(options.cache_bytes));
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, family);  // RocksDB insists on it
  for (const char* name : kFamilyNames) descriptors.emplace_back(name, family);

  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::Status status =
      rocksdb::DB::Open(MakeDbOptions(), options.dir.string(), descriptors, &handles, &db);
  if (!status.ok()) return OpenError(status, options.dir);
  db->DestroyColumnFamilyHandle(handles[0]);
  RocksDatabase::Families families{};
  std::copy(handles.begin() + 1, handles.end(), families.begin());
  return std::make_unique<RocksDatabase>(options.dir, std::unique_ptr<rocksdb::DB>(db), families);
}

}  // namespace engram::storage
