// Drops what nobody will ask for again: remembered results of requests too old to be accepted, log
// entries beyond the number that is kept, if all holders have them. Done now and then after a
// commit, by ranges, unsynced: what a crash brings back is dropped later.
//
// For the commit thread only, but for AllowTrim.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/base/string_hash.h"
#include "engram/base/time.h"
#include "engram/memory/records.h"
#include "engram/replication/space_log.h"
#include "engram/storage/database.h"

namespace engram::memory {

struct HousekeeperOptions {
  Duration request_id_ttl;
  uint64_t log_entries_max;
};

class Housekeeper {
 public:
  Housekeeper(storage::Database& database, NodeId self, HousekeeperOptions options)
      : database_(database), self_(std::move(self)), options_(options) {}

  // The space has changed.
  void Tidy(const SpaceId& space, const replication::SpaceLog& log, WallMillis now);

  // All holders have the log up to there. Of a space that only this node holds, that goes without
  // saying. Thread-safe.
  void AllowTrim(const SpaceId& space, const Version& position);

 private:
  struct Done {
    Version log_trimmed_to;    // entries before this are gone
    uint64_t log_trimmed = 0;  // how many that is at least
    WallMillis expired_to{};   // requests before this are gone
  };

  void TrimLog(const SpaceId& space, const replication::SpaceLog& log, Done& done);
  void ExpireRequests(const SpaceId& space, WallMillis now, Done& done);
  // Up to there replication has allowed it; to the end where this is the only holder.
  Version MayTrimTo(const SpaceId& space, const replication::SpaceLog& log) const;

  storage::Database& database_;
  const NodeId self_;
  const HousekeeperOptions options_;
  StringMap<Done> done_;

  mutable Mutex mutex_;
  StringMap<Version> may_trim_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::memory
