// A disk and a database on it, both in memory, for the simulator and for tests of what a crash or a
// bad disk leaves behind. It behaves as the database of Database::Open does, which
// database_contract_test.cc holds both to; what it does not have is anything on the real disk.
//
//   MemoryDisk disk(seed);
//   auto database = disk.Open();  // use it, and let it go
//   disk.Crash();                 // the power fails
//   database = disk.Open();       // what is left
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engram/base/mutex.h"
#include "engram/storage/database.h"

namespace engram::storage {

// What is on the disk of one node. Outlives the databases that are opened on it, of which there is
// at most one at a time; owned by a test or by the simulated node.
//
// As RocksDB's, it is a log of batches: a crash leaves a beginning of those that were not synced (a
// torn batch is cut off with all that follow it), never one without those before it.
//
// Thread-safe.
class MemoryDisk {
 public:
  // What a crash leaves is drawn from `seed`.
  explicit MemoryDisk(uint64_t seed);
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  // Everything found is durable from then on: RocksDB writes what it has replayed into a table.
  // REQUIRES: no database is open.
  std::unique_ptr<Database> Open();

  // The power fails. A process that ends loses nothing that was written, and needs no call.
  // REQUIRES: no database is open.
  void Crash();

  // From now on writes fail with that error, which is not OK. The first of them may be found when
  // the disk is opened again, the others have not come so far.
  void FailWrites(absl::Status error);
  // A disk that was full has room again. A database that is open goes on with what it shows, and
  // writes that to a new place: none of the writes that failed will be found.
  void AllowWrites();

  // How many batches a crash may take; for tests that want to know that there is something to lose.
  size_t unsynced() const;

 private:
  friend class MemoryBatch;
  friend class MemoryDatabase;

  using Table = std::map<std::string, std::string, std::less<>>;
  using Tables = std::array<std::shared_ptr<Table>, kFamilyCount>;
  // One change: of a key, or of all from it to `end`. Without a value it deletes.
  struct Change {
    Family family;
    std::string key;
    std::optional<std::string> value;
    std::optional<std::string> end;
  };
  using Changes = std::vector<Change>;

  static Tables CopyOf(const Tables& tables);
  static void CarryOut(const Changes& changes, Tables& tables);

  // The table as it is now, for as long as it is held.
  using Pinned = std::shared_ptr<const Table>;
  Pinned Pin(Family family) const;
  std::array<Pinned, kFamilyCount> PinAll() const;
  Pinned PinLocked(Family family) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Write(Changes changes, Sync sync);
  void KeepUnsynced(size_t batches) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Close();

  mutable Mutex mutex_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  Tables durable_ ABSL_GUARDED_BY(mutex_);
  Tables shown_ ABSL_GUARDED_BY(mutex_);  // durable_ with unsynced_ on top
  std::vector<Changes> unsynced_ ABSL_GUARDED_BY(mutex_);
  std::optional<Changes> in_doubt_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::storage
