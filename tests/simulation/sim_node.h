// One node of a simulated cluster: the routing core as it runs in a real node (table, decision,
// attempt machine, breakers, budgets, ownership), and of the memory engine only what routing can
// get wrong: which spaces it holds, and which writes it has carried out.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engram/placement/ring.h"
#include "engram/routing/call_plan.h"
#include "engram/routing/look_up_line.h"
#include "engram/routing/routing_table.h"
#include "simulation/network.h"

namespace engram::simulation {

// A space's content at one node. It moves with the space.
struct Holding {
  placement::Assignment assignment;
  std::map<uint64_t, int> writes;  // request id -> how often it took effect: never but once
};

struct Request {
  routing::Operation op;
  std::string space;
  uint64_t id;  // of a write
  TimePoint deadline;
};

struct Answer {
  absl::Status status;
  std::string served_by;
  bool degraded = false;
  routing::CallStats stats;
  TimePoint at;
};

// What a node says to a forwarded request.
struct PeerAnswer {
  absl::Status status;
  std::optional<placement::Assignment> assignment;  // a redirect, or newer than the sender's
};

class SimNode {
 public:
  SimNode(size_t index, const std::vector<NodeId>& ids, Scheduler& scheduler, Network& network,
          std::vector<std::unique_ptr<SimNode>>& cluster, routing::CallPlanOptions options,
          const routing::NodeOptions& health, uint64_t seed);

  using Done = std::function<void(Answer)>;
  // What a client asks of this node.
  void Route(const Request& request, Done done);

  // The peer service.
  PeerAnswer Serve(const Request& request, const Version& routed_by, bool create,
                   const routing::ReadPolicy& policy = {});
  std::optional<placement::Assignment> Held(const std::string& space) const;

  const NodeId& id() const { return ids_[index_]; }
  size_t index() const { return index_; }
  routing::NodeTable& nodes() { return nodes_; }
  routing::RoutingTable& table() { return table_; }
  std::map<std::string, Holding>& holdings() { return holdings_; }
  routing::Reachability& reach() { return reach_; }
  // Whether it turns away its part of recalls over several spaces.
  bool& shedding() { return shedding_; }
  // Requests that came from other nodes.
  uint64_t received() const { return received_; }
  // Requests and questions that this node has sent to others.
  uint64_t sent() const { return sent_; }

 private:
  friend class SimCall;
  friend class SimScatter;
  friend class SimLookUp;

  routing::Knowledge KnowledgeOf(const std::string& space) const;
  routing::View view() const { return {nodes_, self_, reach_}; }
  void TakeEffect(const Request& request, bool create);

  const size_t index_;
  const std::vector<NodeId>& ids_;
  Scheduler& scheduler_;
  Network& network_;
  std::vector<std::unique_ptr<SimNode>>& cluster_;
  const routing::CallPlanOptions options_;
  std::mt19937_64 random_;
  mutable routing::NodeTable nodes_;
  routing::NodeIndex self_;
  routing::RoutingTable table_;
  placement::Ring ring_;
  routing::Reachability reach_;
  std::map<std::string, Holding> holdings_;
  routing::LookUpLine look_ups_{nodes_};
  bool shedding_ = false;
  uint64_t received_ = 0;
  uint64_t sent_ = 0;
};

}  // namespace engram::simulation
