// Drops what nobody will ask for again: remembered results of requests too old to be accepted, log
// entries beyond the number that is kept. Done now and then after a commit, by ranges, unsynced:
// what a crash brings back is dropped later.
//
// For the commit thread only.
#pragma once

#include <string>

#include "engram/base/string_hash.h"
#include "engram/base/time.h"
#include "engram/memory/records.h"
#include "engram/storage/database.h"

namespace engram::memory {

struct HousekeeperOptions {
  Duration request_id_ttl;
  uint64_t log_entries_max;
};

class Housekeeper {
 public:
  Housekeeper(storage::Database& database, HousekeeperOptions options)
      : database_(database), options_(options) {}

  // The space has changed.
  void Tidy(const SpaceId& space, const SpaceRecord& record, WallMillis now);

 private:
  struct Done {
    uint64_t log_trimmed_to = 0;  // sequences before this are gone
    WallMillis expired_to{};      // requests before this are gone
  };

  void TrimLog(const SpaceId& space, const Version& last, Done& done);
  void ExpireRequests(const SpaceId& space, WallMillis now, Done& done);

  storage::Database& database_;
  const HousekeeperOptions options_;
  StringMap<Done> done_;
};

}  // namespace engram::memory
