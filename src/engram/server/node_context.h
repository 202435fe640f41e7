// What the services of one node share. Owned by Node; everything in it outlives the services and is
// either immutable, thread-safe, or belongs to one loop (LoopState).
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "engram/base/error.h"
#include "engram/cluster/directory.h"
#include "engram/cluster/replication_counters.h"
#include "engram/memory/tombstone_counts.h"
#include "engram/net/connection_pool.h"
#include "engram/net/event_loop.h"
#include "engram/routing/decision.h"
#include "engram/routing/reachability.h"
#include "engram/routing/routing_table.h"
#include "engram/server/config.h"
#include "engram/server/live_calls.h"
#include "engram/server/metrics.h"
#include "engram/server/routing_log.h"
#include "engram/server/slow_calls.h"

namespace engram::server {

class LookUps;
class PeerCalls;
class ReplicationPort;
struct NodeContext;

// Belongs to one loop; touched only on it.
struct LoopState {
  LoopState(net::EventLoop& l, size_t i, uint64_t seed, LoggedBreakers& logged);
  LoopState(LoopState&&) = delete;
  ~LoopState();

  net::EventLoop* const loop;
  const size_t index;
  std::mt19937_64 random;
  RoutingLog log;
  LiveCalls live_calls;
  SlowCalls slow_calls;
  std::unique_ptr<LookUps> look_ups;
  std::unique_ptr<PeerCalls> peer_calls;
};

struct NodeContext {
  NodeContext(const NodeConfig& c, net::EventLoopGroup& l, net::ConnectionPool& p, uint64_t seed);
  ~NodeContext();

  // REQUIRES: `loop` is one of this node's.
  LoopState& StateOf(const net::EventLoop& loop);

  routing::Knowledge KnowledgeOf(std::string_view space) const;
  // What another node has said; whether it is news. What one knows that has no primary at the
  // moment helps nobody later, and may be as new as what comes after it.
  bool Learn(const placement::Assignment& said) {
    return !said.primary.empty() && table.Apply(std::span(&said, 1)) > 0;
  }
  routing::View view() const { return {nodes, self_index, reachability.Load()}; }

  const NodeConfig& config;
  const NodeId self;
  net::EventLoopGroup& loops;
  net::ConnectionPool& pool;
  mutable routing::NodeTable nodes;
  const routing::NodeIndex self_index;
  cluster::Directory directory;  // who is in the cluster: the control plane fills it
  routing::RoutingTable table;   // what is known of every space
  routing::RoutingTable held;    // the spaces that this node itself holds: LocalService fills it
  routing::ReachabilityCell reachability;
  // Set before requests are served; null: no space here has other holders.
  ReplicationPort* replication = nullptr;
  RoutingMetrics metrics;
  // Of the streams that replication goes over; null: there are none. Whoever owns them sets it
  // before anybody scrapes, and keeps them as long.
  const cluster::ReplicationCounters* replication_streams = nullptr;
  // Of the spaces here; likewise.
  std::function<memory::TombstoneCounts()> tombstones;
  LoggedBreakers logged_breakers;

 private:
  std::vector<std::unique_ptr<LoopState>> states_;
};

// The monotonic clock; server/ is where real time enters.
inline TimePoint Now() { return std::chrono::steady_clock::now(); }
inline WallMillis WallNow() {
  return WallMillis{std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
}

}  // namespace engram::server
