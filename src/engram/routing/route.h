// An assignment as the routing core holds it: the same content as placement::Assignment without the
// space's name, nodes by number, copied out of the table in one piece.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engram/routing/node_index.h"

namespace engram::routing {

// base/version.h by node number. Of two with the same epoch counter and different primaries only
// the node's ids say which is the newer: NodeTable::Newer().
struct RouteVersion {
  uint64_t epoch_counter = 0;
  uint64_t sequence = 0;
  NodeIndex epoch_primary = kNoNode;

  friend bool operator==(const RouteVersion&, const RouteVersion&) = default;
};

struct Route {
  static constexpr size_t kReplicasMax = 6;

  RouteVersion version;
  NodeIndex primary = kNoNode;
  uint32_t replica_count = 0;
  std::array<NodeIndex, kReplicasMax> replica{};

  std::span<const NodeIndex> replicas() const { return {replica.data(), replica_count}; }
  bool HeldBy(NodeIndex node) const {
    auto r = replicas();
    return primary == node || std::find(r.begin(), r.end(), node) != r.end();
  }
  friend bool operator==(const Route&, const Route&) = default;
};

}  // namespace engram::routing
