// The encoded forms of memories that were asked for lately, so that a hot memory costs a look-up
// and neither a read nor an encoding. Bounded in bytes; never shows what a write has replaced.
//
// How it stays true: a writer announces its keys before its batch can become visible and withdraws
// them after (WriteGuard). In between their shards forget them and keep nothing. A reader gets a
// ticket with its miss, before it reads the database; what it read is kept only if no writer has
// come to that shard since.
//
// Thread-safe; a lock is held for a look-up only. Owned by the engine.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/base/string_hash.h"

namespace engram::memory {

class ReplyCache {
 public:
  using Bytes = std::shared_ptr<const std::string>;

  // What it holds, keys and a flat cost for each entry included, stays below about `bytes_max`.
  // 0: holds nothing.
  explicit ReplyCache(size_t bytes_max);

  struct Lookup {
    Bytes found;          // null: a miss
    uint64_t ticket = 0;  // of a miss, for Keep()
  };
  Lookup Find(std::string_view key);
  // Keeps what was read after Find() gave the ticket, unless it may be outdated already.
  void Keep(std::string_view key, uint64_t ticket, const Bytes& bytes);

  // Announces writes of these keys, until it is gone.
  class WriteGuard {
   public:
    WriteGuard(ReplyCache& cache, std::vector<std::string> keys);
    ~WriteGuard();
    WriteGuard(const WriteGuard&) = delete;
    WriteGuard& operator=(const WriteGuard&) = delete;

   private:
    ReplyCache& cache_;
    const std::vector<std::string> keys_;
  };

 private:
  static constexpr size_t kShards = 16;
  static constexpr uint64_t kNoTicket = 0;

  // Two generations stand in for a list in order of use: when the young one has its half of the
  // room, it becomes the old one, whose entries are dropped unless they were found meanwhile.
  struct Shard {
    Mutex mutex;
    StringMap<Bytes> young ABSL_GUARDED_BY(mutex);
    StringMap<Bytes> old ABSL_GUARDED_BY(mutex);
    size_t young_bytes ABSL_GUARDED_BY(mutex) = 0;
    size_t writers ABSL_GUARDED_BY(mutex) = 0;
    uint64_t writes ABSL_GUARDED_BY(mutex) = 1;  // ever announced; the ticket
  };

  Shard& ShardOf(std::string_view key);
  void Add(Shard& shard, std::string_view key, const Bytes& bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  const size_t generation_bytes_max_;  // of one shard
  std::array<Shard, kShards> shards_;
};

}  // namespace engram::memory
