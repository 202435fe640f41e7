// A node's view of who holds what: space -> assignment, and the reverse, node -> spaces (SPEC R1).
//
// Thread-safety: Find() from any number of threads, without a lock, a wait or a shared reference
// count in the steady state: each thread keeps the shards it has read (immutable snapshots) and
// only asks whether they are still current. Apply() from any thread; writers take turns. A look-up
// is atomic per space; a reader of several spaces compares version() before and after.
//
// Merge rule: of two assignments of one space the larger version wins, whatever the source; so
// nothing ever goes backwards.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/base/string_hash.h"
#include "engram/placement/assignment.h"

namespace engram::routing {

class RoutingTable {
 public:
  RoutingTable();
  ~RoutingTable();
  RoutingTable(const RoutingTable&) = delete;
  RoutingTable& operator=(const RoutingTable&) = delete;

  // Null if the space is not known.
  placement::AssignmentPtr Find(std::string_view space) const;

  // Takes over each assignment that is newer than the one known; returns how many were.
  size_t Apply(std::span<const placement::Assignment> diff);

  // Grows with every Apply() that changed something.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  size_t size() const;

  // Spaces that the node is primary or replica of, by name.
  std::vector<SpaceId> SpacesOf(const NodeId& node) const;

  // Every assignment, by space name.
  std::vector<placement::AssignmentPtr> All() const;

 private:
  static constexpr size_t kShards = 256;
  using Map = StringMap<placement::AssignmentPtr>;
  struct Snapshot {
    uint64_t generation = 0;
    std::shared_ptr<const Map> map;
  };
  struct Shard {
    std::atomic<uint64_t> generation{0};
    Mutex mutex;
    std::shared_ptr<const Map> map ABSL_GUARDED_BY(mutex);
  };
  struct ThreadCache;

  static size_t ShardOf(std::string_view space);
  const Map& Current(size_t shard) const;
  Snapshot Load(size_t shard) const;
  size_t ApplyToShard(size_t shard, std::span<const placement::Assignment* const> diff)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  void Reindex(const placement::Assignment* before, const placement::Assignment& after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);

  const uint64_t
      identity_;  // never reused, so that a thread's cache is never taken for another table's
  std::atomic<uint64_t> version_{0};
  mutable std::array<Shard, kShards> shards_;
  mutable Mutex writer_;
  std::map<NodeId, std::set<SpaceId>> spaces_of_ ABSL_GUARDED_BY(writer_);
};

}  // namespace engram::routing
