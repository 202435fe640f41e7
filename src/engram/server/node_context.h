// What the services of one node share. Owned by Node; everything in it outlives the services and is
// either immutable, thread-safe, or belongs to one loop (LoopState).
#pragma once

#include <random>
#include <vector>

#include "engram/base/error.h"
#include "engram/base/string_hash.h"
#include "engram/net/connection_pool.h"
#include "engram/net/event_loop.h"
#include "engram/placement/ring.h"
#include "engram/routing/routing_table.h"
#include "engram/server/config.h"
#include "engram/server/metrics.h"
#include "engram/server/routing_log.h"

namespace engram::server {

// Belongs to one loop; touched only on it.
struct LoopState {
  net::EventLoop* loop;
  size_t index;
  std::mt19937_64 random;
  SpaceId forwarded;  // the space of the last request that was passed on
  RoutingLog log;
};

struct NodeContext {
  NodeContext(const NodeConfig& c, net::EventLoopGroup& l, net::ConnectionPool& p, uint64_t seed);

  // REQUIRES: `loop` is one of this node's.
  LoopState& StateOf(const net::EventLoop& loop);
  // Where to dial a node; nullptr if it is not one of the cluster's.
  const std::string* AddressOf(const NodeId& node) const;

  const NodeConfig& config;
  const NodeId self;
  net::EventLoopGroup& loops;
  net::ConnectionPool& pool;
  const placement::Ring ring;
  routing::NodeTable nodes;
  routing::RoutingTable table{nodes};
  RoutingMetrics metrics;

 private:
  StringMap<std::string> addresses_;
  std::vector<LoopState> states_;
};

// The monotonic clock; server/ is where real time enters.
inline TimePoint Now() { return std::chrono::steady_clock::now(); }
inline WallMillis WallNow() {
  return WallMillis{std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
}

}  // namespace engram::server
