// The consistent-hash ring with virtual nodes: proposes the holders of a space that has none yet.
//
// After Karger et al., "Consistent Hashing and Random Trees" (STOC 1997): a node added or removed
// changes the proposal of about 1/N of the spaces. Immutable once made; thread-safe.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engram/base/strong_id.h"

namespace engram::placement {

class Ring {
 public:
  // Points per node: the load of N nodes then differs by about 1/sqrt(points) = 9 % (one standard
  // deviation).
  static constexpr int kPointsPerNode = 128;

  // The same set of nodes gives the same ring on every node, in whatever order it is given.
  explicit Ring(std::vector<NodeId> nodes);

  // The first `count` distinct nodes clockwise from the space's hash, fewer if there are fewer. The
  // first is the proposed primary.
  std::vector<NodeId> Holders(std::string_view space, size_t count) const;

  // Holders(space, 1)[0] without an allocation. REQUIRES: at least one node.
  const NodeId& FirstHolder(std::string_view space) const;

  const std::vector<NodeId>& nodes() const { return nodes_; }

 private:
  struct Point {
    uint64_t hash;
    uint32_t node;  // index into nodes_
  };
  size_t IndexAfter(std::string_view space) const;

  std::vector<NodeId> nodes_;  // sorted, distinct
  std::vector<Point> points_;  // by hash
};

}  // namespace engram::placement
