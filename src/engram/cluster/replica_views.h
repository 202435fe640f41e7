// What requests must know of a space that this node holds, and only the replication loop knows:
// whether an answer may go without the flag, and how far behind a replica may be.
//
// Thread-safety: Of() from any thread, without a lock; what it points to stays as long as the
// object and is read and written as atomics. Make() by one thread at a time.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engram/base/published.h"
#include "engram/base/string_hash.h"
#include "engram/base/strong_id.h"
#include "engram/base/time.h"

namespace engram::cluster {

// Times are of BootNow().
struct ReplicaView {
  // At the primary: an answer that is worked out before then may go without the flag. min() at a
  // replica, and at a primary that is not in contact with a majority.
  std::atomic<TimePoint> lease_until{TimePoint::min()};
  // At a replica: when it last had everything that its primary had. min(): never.
  std::atomic<TimePoint> caught_up_at{TimePoint::min()};
};

class ReplicaViews {
 public:
  ReplicaViews() {
    for (auto& shard : shards_)
      shard = std::make_unique<Published<Shard>>(std::make_unique<Shard>());
  }

  // Null if this node has no part in the space.
  const ReplicaView* Of(std::string_view space) const {
    return ShardOf(space).Read([space](const Shard& shard) -> const ReplicaView* {
      const auto found = shard.find(space);
      return found == shard.end() ? nullptr : found->second;
    });
  }

  // The one of that space, made if need be, with such a lease.
  ReplicaView& Make(const SpaceId& space, TimePoint lease_until) {
    Published<Shard>& shard = ShardOf(space.view());
    auto next = shard.Read([](const Shard& s) { return std::make_unique<Shard>(s); });
    auto [entry, is_new] = next->try_emplace(space.value(), nullptr);
    if (!is_new) return *entry->second;
    views_.push_back(std::make_unique<ReplicaView>());
    views_.back()->lease_until.store(lease_until, std::memory_order_relaxed);
    entry->second = views_.back().get();
    shard.Replace(std::move(next));
    return *views_.back();
  }

 private:
  using Shard = StringMap<ReplicaView*>;
  // A new space copies one shard.
  static constexpr size_t kShards = 256;

  Published<Shard>& ShardOf(std::string_view space) const {
    return *shards_[(StringHash{}(space) >> 32) % kShards];
  }

  std::array<std::unique_ptr<Published<Shard>>, kShards> shards_;
  std::vector<std::unique_ptr<ReplicaView>> views_;
};

}  // namespace engram::cluster
