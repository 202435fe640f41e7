// The routing table and what it is compared with, under one interface:
//   Find(space)      a copy of the space's route; by any thread that is between Enter() and Leave()
//   Apply(diff)      by one thread at a time, which is between them too
//   Enter(), Leave() for structures that must know their threads
//   Pause()          this thread holds nothing now (QSBR); a reader calls it every 1,024 look-ups
// None but Engram's keeps the reverse index, compares versions, and takes assignments by name.
#pragma once

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "engram/base/string_hash.h"
#include "engram/routing/routing_table.h"
#include "workload.h"

#ifdef ENGRAM_BENCH_TBB
#include <tbb/concurrent_hash_map.h>
#endif

namespace engram::bench {

using routing::Route;

struct NoThreads {
  static void Enter() {}
  static void Leave() {}
  static void Pause() {}
};

class EngramTable : public NoThreads {
 public:
  // With the digest that gossip needs, as a node has it.
  explicit EngramTable(Workload& workload) : table_(workload.nodes()) { table_.KeepDigest(); }
  static std::string Name() { return "engram: slots and records, read sections"; }
  std::optional<Route> Find(const std::string& space) const { return table_.Find(space); }
  void Apply(const Diff& diff) { table_.Apply(diff.named); }

 private:
  routing::RoutingTable table_;
};

// The floor. Nothing may write while others read.
template <class Map>
class UnsynchronisedMap : public NoThreads {
 public:
  explicit UnsynchronisedMap(Workload&) {}
  std::optional<Route> Find(const std::string& space) const {
    auto found = map_.find(space);
    if (found == map_.end()) return std::nullopt;
    return found->second;
  }
  void Apply(const Diff& diff) {
    for (const Diff::Change& change : diff.numbered) map_[*change.space] = change.route;
  }

 private:
  Map map_;
};
struct FloorXxh : UnsynchronisedMap<StringMap<Route>> {
  using UnsynchronisedMap::UnsynchronisedMap;
  static std::string Name() { return "absl::flat_hash_map, unsynchronised, XXH3 (floor)"; }
};
struct FloorAbsl : UnsynchronisedMap<absl::flat_hash_map<std::string, Route>> {
  using UnsynchronisedMap::UnsynchronisedMap;
  static std::string Name() { return "absl::flat_hash_map, unsynchronised, its own hash"; }
};

// Immutable snapshots behind a cache in each thread, copied to be changed. One shard = the whole.
template <size_t Shards>
class SnapshotShards : public NoThreads {
 public:
  explicit SnapshotShards(Workload&) : identity_(NextIdentity()) {
    for (Shard& shard : shards_) shard.map = std::make_shared<const Map>();
  }
  static std::string Name() {
    return Shards == 1 ? "whole snapshot, cached by each thread"
                       : fmt::format("{} snapshots, cached by each thread", Shards);
  }

  std::optional<Route> Find(const std::string& space) const {
    thread_local Cache cache;
    if (cache.identity != identity_) cache = {identity_, std::vector<Snapshot>(Shards)};
    const size_t shard = ShardOf(space);
    Snapshot& mine = cache.shards[shard];
    const uint64_t generation = shards_[shard].generation.load(std::memory_order_acquire);
    if (mine.map == nullptr || mine.generation != generation) mine = Load(shard);
    auto found = mine.map->find(space);
    if (found == mine.map->end()) return std::nullopt;
    return found->second;
  }

  void Apply(const Diff& diff) {
    std::vector<std::shared_ptr<Map>> copies(Shards);
    for (const Diff::Change& change : diff.numbered) {
      const size_t shard = ShardOf(*change.space);
      if (copies[shard] == nullptr) copies[shard] = std::make_shared<Map>(*shards_[shard].map);
      (*copies[shard])[*change.space] = change.route;
    }
    for (size_t s = 0; s < Shards; ++s) {
      if (copies[s] == nullptr) continue;
      absl::MutexLock lock(&shards_[s].mutex);
      shards_[s].map = std::move(copies[s]);
      shards_[s].generation.fetch_add(1, std::memory_order_release);
    }
  }

 private:
  using Map = StringMap<Route>;
  struct Snapshot {
    uint64_t generation = 0;
    std::shared_ptr<const Map> map;
  };
  struct Cache {
    uint64_t identity = 0;
    std::vector<Snapshot> shards;
  };
  struct Shard {
    std::atomic<uint64_t> generation{1};
    absl::Mutex mutex;
    std::shared_ptr<const Map> map;
  };

  static uint64_t NextIdentity() {
    static std::atomic<uint64_t> next{1};
    return next.fetch_add(1);
  }
  static size_t ShardOf(std::string_view space) { return (StringHash{}(space) >> 48) % Shards; }
  Snapshot Load(size_t shard) const {
    absl::MutexLock lock(&shards_[shard].mutex);
    return {shards_[shard].generation.load(std::memory_order_relaxed), shards_[shard].map};
  }

  const uint64_t identity_;
  mutable std::vector<Shard> shards_{Shards};
};

// The plain way: 64 maps under reader-writer locks.
class LockedShards : public NoThreads {
 public:
  explicit LockedShards(Workload&) {}
  static std::string Name() { return "64 absl::flat_hash_map under absl::Mutex"; }
  std::optional<Route> Find(const std::string& space) const {
    Shard& shard = ShardOf(space);
    absl::ReaderMutexLock lock(&shard.mutex);
    auto found = shard.map.find(space);
    if (found == shard.map.end()) return std::nullopt;
    return found->second;
  }
  void Apply(const Diff& diff) {
    for (const Diff::Change& change : diff.numbered) {
      Shard& shard = ShardOf(*change.space);
      absl::WriterMutexLock lock(&shard.mutex);
      shard.map[*change.space] = change.route;
    }
  }

 private:
  struct alignas(64) Shard {
    absl::Mutex mutex;
    StringMap<Route> map;
  };
  Shard& ShardOf(std::string_view space) const { return shards_[StringHash{}(space) >> 58]; }
  mutable std::array<Shard, 64> shards_;
};

// Routes in slots that never move, each under a sequence lock: a reader waits while its slot is
// being written, and no space can come while others read.
class SeqlockSlots : public NoThreads {
 public:
  explicit SeqlockSlots(Workload&) {}
  static std::string Name() { return "fixed index, seqlock slots (cannot grow)"; }
  std::optional<Route> Find(const std::string& space) const {
    auto found = index_.find(space);
    if (found == index_.end()) return std::nullopt;
    return found->second->Read();
  }
  void Apply(const Diff& diff) {
    for (const Diff::Change& change : diff.numbered) {
      std::unique_ptr<Slot>& slot = index_[*change.space];
      if (slot == nullptr) slot = std::make_unique<Slot>();
      slot->Write(change.route);
    }
  }

 private:
  static_assert(sizeof(Route) % sizeof(uint64_t) == 0);
  using Words = std::array<uint64_t, sizeof(Route) / sizeof(uint64_t)>;
  class Slot {
   public:
    Route Read() const {
      Words words;
      for (;;) {
        const uint64_t before = sequence_.load(std::memory_order_acquire);
        for (size_t w = 0; w < words.size(); ++w) {
          words[w] = words_[w].load(std::memory_order_relaxed);
        }
        std::atomic_thread_fence(std::memory_order_acquire);
        const uint64_t after = sequence_.load(std::memory_order_relaxed);
        if (before == after && before % 2 == 0) break;
      }
      Route route;
      std::memcpy(static_cast<void*>(&route), words.data(), sizeof(route));
      return route;
    }
    void Write(const Route& route) {
      Words words;
      std::memcpy(words.data(), &route, sizeof(route));
      sequence_.fetch_add(1, std::memory_order_acq_rel);
      std::atomic_thread_fence(std::memory_order_release);
      for (size_t w = 0; w < words.size(); ++w) {
        words_[w].store(words[w], std::memory_order_relaxed);
      }
      sequence_.fetch_add(1, std::memory_order_release);
    }

   private:
    std::atomic<uint64_t> sequence_{0};
    std::array<std::atomic<uint64_t>, sizeof(Route) / sizeof(uint64_t)> words_{};
  };
  StringMap<std::unique_ptr<Slot>> index_;
};

#ifdef ENGRAM_BENCH_TBB
class TbbMap : public NoThreads {
 public:
  explicit TbbMap(Workload&) {}
  static std::string Name() { return "tbb::concurrent_hash_map"; }
  std::optional<Route> Find(const std::string& space) const {
    Map::const_accessor found;
    if (!map_.find(found, space)) return std::nullopt;
    return found->second;
  }
  void Apply(const Diff& diff) {
    for (const Diff::Change& change : diff.numbered) {
      Map::accessor slot;
      map_.insert(slot, *change.space);
      slot->second = change.route;
    }
  }

 private:
  struct HashCompare {
    static size_t hash(const std::string& s) { return StringHash{}(s); }
    static bool equal(const std::string& a, const std::string& b) { return a == b; }
  };
  using Map = tbb::concurrent_hash_map<std::string, Route, HashCompare>;
  Map map_;
};
#endif

}  // namespace engram::bench
