// Everything durable of a node, without threads: takes writes and commands of replication, makes
// them durable as one group, shows them, and tells their senders. The engine runs it on its commit
// thread; a simulator, in its own, on a database in memory:
//
//   LocalStore store(database, options);
//   status = store.Load();
//   store.Commit(pending, now);  // every `done` has run when it returns
//
// Reading is by Database, spaces() and LogStore (log_store.h), on any thread.
//
// Not thread-safe but for reading. What it is made with outlives it.
#pragma once

#include <atomic>
#include <span>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/memory/commit_group.h"
#include "engram/memory/housekeeper.h"
#include "engram/memory/reply_cache.h"
#include "engram/memory/space_table.h"
#include "engram/memory/tombstone_counts.h"
#include "engram/storage/database.h"

namespace engram::memory {

using Pending = std::variant<PendingWrite, PendingCommand>;

struct LocalStoreOptions {
  NodeId node;
  storage::Sync sync = storage::Sync::kYes;
  Duration clock_ahead_max = std::chrono::seconds(60);
  HousekeeperOptions housekeeping{std::chrono::hours(1), 10'000};
  size_t reply_cache_bytes = 0;
  // Told about each group that changed something, before its `done`s. May be null.
  absl::AnyInvocable<void(const CommitGroup&)> committed;
  // Told of the first failed write, before the `done`s. May be null.
  absl::AnyInvocable<void()> failed;
};

class LocalStore {
 public:
  LocalStore(storage::Database& database, LocalStoreOptions options);

  // Reads what is known of each space. Called once, before anything else.
  [[nodiscard]] absl::Status Load();

  // After a failed write every later one fails: what the disk holds then is known again only after
  // the database has been opened anew.
  void Commit(std::vector<Pending> pending, WallMillis now);

  // Equal for equal copies (space_digest.h). REQUIRES: the space is in spaces(). Thread-safe.
  absl::StatusOr<SpaceDigest> Digest(const SpaceId& space) const;

  TombstoneCounts tombstones() const { return {tombstones_.load(), collected_.load()}; }

  const SpaceTable& spaces() const { return spaces_; }
  ReplyCache& replies() const { return replies_; }
  // Thread-safe.
  void AllowTrim(const SpaceId& space, const Version& position) {
    housekeeper_.AllowTrim(space, position);
  }

 private:
  storage::Database& database_;
  LocalStoreOptions options_;
  SpaceTable spaces_;
  mutable ReplyCache replies_;
  Housekeeper housekeeper_;
  std::atomic<uint64_t> tombstones_ = 0;
  std::atomic<uint64_t> collected_ = 0;
  absl::Status failed_;
};

}  // namespace engram::memory
