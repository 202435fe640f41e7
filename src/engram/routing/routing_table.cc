#include "engram/routing/routing_table.h"

#include <algorithm>

namespace engram::routing {

using placement::Assignment;
using placement::AssignmentPtr;

// What one thread has read of one table. Small programs have one table; tests have many, hence the
// identity.
struct RoutingTable::ThreadCache {
  uint64_t identity = 0;
  std::array<Snapshot, kShards> shards;
};

namespace {
std::atomic<uint64_t> next_identity{1};
}  // namespace

RoutingTable::RoutingTable() : identity_(next_identity.fetch_add(1)) {
  for (Shard& shard : shards_) {
    WriterLock lock(&shard.mutex);
    shard.map = std::make_shared<const Map>();
  }
}

RoutingTable::~RoutingTable() = default;

size_t RoutingTable::ShardOf(std::string_view space) {
  // The top bits: the map inside the shard uses the low ones of the same hash.
  return StringHash{}(space) >> 56;
}

RoutingTable::Snapshot RoutingTable::Load(size_t shard) const {
  Shard& s = shards_[shard];
  WriterLock lock(&s.mutex);
  return {s.generation.load(std::memory_order_relaxed), s.map};
}

const RoutingTable::Map& RoutingTable::Current(size_t shard) const {
  thread_local std::unique_ptr<ThreadCache> cache;
  if (cache == nullptr || cache->identity != identity_) {
    cache = std::make_unique<ThreadCache>();
    cache->identity = identity_;
  }
  Snapshot& mine = cache->shards[shard];
  if (mine.map == nullptr ||
      mine.generation != shards_[shard].generation.load(std::memory_order_acquire)) {
    mine = Load(shard);
  }
  return *mine.map;
}

AssignmentPtr RoutingTable::Find(std::string_view space) const {
  const Map& map = Current(ShardOf(space));
  auto it = map.find(space);
  return it == map.end() ? nullptr : it->second;
}

size_t RoutingTable::Apply(std::span<const Assignment> diff) {
  std::array<std::vector<const Assignment*>, kShards> by_shard;
  for (const Assignment& a : diff) by_shard[ShardOf(a.space.view())].push_back(&a);
  WriterLock lock(&writer_);
  size_t changed = 0;
  for (size_t shard = 0; shard < kShards; ++shard) {
    if (!by_shard[shard].empty()) changed += ApplyToShard(shard, by_shard[shard]);
  }
  if (changed > 0) version_.fetch_add(1, std::memory_order_release);
  return changed;
}

size_t RoutingTable::ApplyToShard(size_t shard, std::span<const Assignment* const> diff) {
  auto next = std::make_shared<Map>(*Load(shard).map);
  size_t changed = 0;
  for (const Assignment* assignment : diff) {
    AssignmentPtr& slot = (*next)[assignment->space.value()];
    if (slot != nullptr && slot->version >= assignment->version) continue;
    Reindex(slot.get(), *assignment);
    slot = std::make_shared<const Assignment>(*assignment);
    ++changed;
  }
  if (changed == 0) return 0;
  Shard& s = shards_[shard];
  WriterLock lock(&s.mutex);
  s.map = std::move(next);
  s.generation.fetch_add(1, std::memory_order_release);
  return changed;
}

void RoutingTable::Reindex(const Assignment* before, const Assignment& after) {
  auto each_holder = [](const Assignment& a, auto&& f) {
    f(a.primary);
    for (const NodeId& replica : a.replicas) f(replica);
  };
  if (before != nullptr) {
    each_holder(*before, [&](const NodeId& node) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      spaces_of_[node].erase(before->space);
    });
  }
  each_holder(after, [&](const NodeId& node)
                         ABSL_NO_THREAD_SAFETY_ANALYSIS { spaces_of_[node].insert(after.space); });
}

size_t RoutingTable::size() const {
  size_t total = 0;
  for (size_t shard = 0; shard < kShards; ++shard) total += Load(shard).map->size();
  return total;
}

std::vector<SpaceId> RoutingTable::SpacesOf(const NodeId& node) const {
  WriterLock lock(&writer_);
  auto it = spaces_of_.find(node);
  if (it == spaces_of_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

std::vector<AssignmentPtr> RoutingTable::All() const {
  std::vector<AssignmentPtr> all;
  for (size_t shard = 0; shard < kShards; ++shard) {
    for (const auto& [space, assignment] : *Load(shard).map) all.push_back(assignment);
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a->space < b->space; });
  return all;
}

}  // namespace engram::routing
