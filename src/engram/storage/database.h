// One node's database: column families of ordered byte keys, written in atomic batches. RocksDB
// behind it is seen by no one else.
//
// Errors: everything the disk refuses or has damaged is kStorageFailed and names the directory; a
// directory that is in use by another process is InvalidArgument("data_dir").
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram::storage {

// What each holds is said in memory/keys.h. The order is that of the names in database.cc.
enum class Family : uint8_t {
  kMemories,
  kTerms,
  kLinks,
  kVectors,
  kLog,
  kRequests,
  kCluster,
  kOutbox,
  kTombstones
};
inline constexpr size_t kFamilyCount = 9;

enum class Sync : uint8_t {
  kNo,   // with the operating system when Write returns: survives the end of the process
  kYes,  // on disk when Write returns: survives the loss of power
};

struct DatabaseOptions {
  std::filesystem::path dir;
  size_t cache_bytes = 64u << 20;
};

// A frozen view of the whole database. Made by Database::TakeSnapshot; must be gone before the
// database is. Thread-safe.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
};

// Walks the entries whose keys start with a prefix, in key order, as they were when it was made.
// Views are good until it moves. Not thread-safe; must be gone before the database is.
//   for (auto cursor = db.Scan(...); cursor->valid(); cursor->Next()) ...; then check status().
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool valid() const = 0;
  virtual void Next() = 0;
  // To the first entry whose key is not below `key`. REQUIRES: `key` starts with the prefix.
  virtual void Seek(std::string_view key) = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  // Not OK when it ended because of an error.
  virtual absl::Status status() const = 0;
};

// Changes that become visible together in Database::Write. Reads through the batch see the database
// with the batch's own changes on top. Made by Database::MakeBatch. Not thread-safe; must be gone
// before the database is.
class Batch {
 public:
  virtual ~Batch() = default;

  virtual void Put(Family family, std::string_view key, std::string_view value) = 0;
  virtual void Delete(Family family, std::string_view key) = 0;

  virtual absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                         std::string_view key) const = 0;
  // Do not change the batch while the cursor lives.
  virtual std::unique_ptr<Cursor> Scan(Family family, std::string_view prefix) const = 0;

  virtual bool empty() const = 0;
};

// Thread-safe. Owned by the engine. An interface only for the sake of the simulator, whose disks
// are in memory (testing/memory_database.h).
class Database {
 public:
  // RocksDB's.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const DatabaseOptions& options);
  virtual ~Database() = default;

  // nullopt if there is none. With a snapshot: as it was then.
  virtual absl::StatusOr<std::optional<std::string>> Get(
      Family family, std::string_view key, const Snapshot* snapshot = nullptr) const = 0;
  virtual std::unique_ptr<Cursor> Scan(Family family, std::string_view prefix,
                                       const Snapshot* snapshot = nullptr) const = 0;
  virtual std::unique_ptr<Snapshot> TakeSnapshot() const = 0;
  virtual std::unique_ptr<Batch> MakeBatch() const = 0;

  // All of the batch or nothing. Readers see it only after it is as durable as `sync` asks. After
  // an error the batch may or may not be found when the directory is opened again; it is not
  // visible until then. REQUIRES: the batch is this database's.
  [[nodiscard]] virtual absl::Status Write(Batch& batch, Sync sync) = 0;

  // Drops the keys in [begin, end), unsynced: for what nobody will ask for again.
  [[nodiscard]] virtual absl::Status DeleteRange(Family family, std::string_view begin,
                                                 std::string_view end) = 0;
};

}  // namespace engram::storage
