#include "engram/placement/ring.h"

#include <xxhash.h>

#include <algorithm>

#include "absl/base/macros.h"
#include "absl/base/optimization.h"

namespace engram::placement {

Ring::Ring(std::vector<NodeId> nodes) : nodes_(std::move(nodes)) {
  std::sort(nodes_.begin(), nodes_.end());
  nodes_.erase(std::unique(nodes_.begin(), nodes_.end()), nodes_.end());
  points_.reserve(nodes_.size() * kPointsPerNode);
  for (uint32_t node = 0; node < nodes_.size(); ++node) {
    const std::string& id = nodes_[node].value();
    for (uint64_t replica = 0; replica < kPointsPerNode; ++replica) {
      points_.push_back({XXH3_64bits_withSeed(id.data(), id.size(), replica), node});
    }
  }
  // By node too, so that a collision of two hashes is settled alike everywhere.
  std::sort(points_.begin(), points_.end(), [](const Point& a, const Point& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.node < b.node;
  });
}

size_t Ring::IndexAfter(std::string_view space) const {
  uint64_t hash = XXH3_64bits(space.data(), space.size());
  auto it = std::lower_bound(points_.begin(), points_.end(), hash,
                             [](const Point& p, uint64_t h) { return p.hash < h; });
  return it == points_.end() ? 0 : static_cast<size_t>(it - points_.begin());
}

const NodeId& Ring::FirstHolder(std::string_view space) const {
  ABSL_HARDENING_ASSERT(!points_.empty());
  return nodes_[points_[IndexAfter(space)].node];
}

std::vector<NodeId> Ring::Holders(std::string_view space, size_t count) const {
  std::vector<NodeId> holders;
  count = std::min(count, nodes_.size());
  if (count == 0) return holders;
  for (size_t i = IndexAfter(space); holders.size() < count; i = (i + 1) % points_.size()) {
    const NodeId& node = nodes_[points_[i].node];
    if (std::find(holders.begin(), holders.end(), node) == holders.end()) holders.push_back(node);
  }
  return holders;
}

}  // namespace engram::placement
