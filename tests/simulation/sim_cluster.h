// A simulated cluster: nodes, their network, and where each space has been and is now.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulation/sim_node.h"
#include "simulation/sim_scatter.h"

namespace engram::simulation {

struct SimOptions {
  size_t nodes = 5;
  uint64_t seed = 1;
  LinkOptions link;
  routing::CallPlanOptions plan;
  routing::NodeOptions health;
};

class SimCluster {
 public:
  explicit SimCluster(const SimOptions& options);
  // What has not happened yet is forgotten first: it refers to the nodes.
  ~SimCluster() { scheduler_.Clear(); }

  Scheduler& scheduler() { return scheduler_; }
  Network& network() { return network_; }
  std::mt19937_64& random() { return random_; }
  size_t size() const { return nodes_.size(); }
  SimNode& node(size_t i) { return *nodes_[i]; }
  const NodeId& id(size_t i) const { return ids_[i]; }
  size_t IndexOf(const NodeId& id) const;

  // From now on the space is there, with what it contains. The first time it comes into being. The
  // old holders and the new ones know; whether anybody else hears of it is the test's affair.
  void Place(const std::string& space, size_t primary, const std::vector<size_t>& replicas = {});
  // A holder becomes primary, the old one stays one of its replicas. Those that run hear of it, the
  // others not before Rejoin.
  void FailOver(const std::string& space, size_t primary);
  // The node runs again and is told who its spaces belong to by now.
  void Rejoin(size_t node);
  // The assignments that the space has had, oldest first; the last one is true.
  const std::vector<placement::Assignment>& HistoryOf(const std::string& space) const {
    return history_.at(space);
  }
  size_t PrimaryOf(const std::string& space) const {
    return IndexOf(HistoryOf(space).back().primary);
  }

  // Asks `entry`; `done` gets the answer.
  void Ask(size_t entry, routing::Operation op, const std::string& space, SimNode::Done done,
           Duration limit = std::chrono::seconds(10));
  // A recall over several spaces.
  void AskMany(size_t entry, const std::vector<std::string>& spaces, SimScatter::Done done,
               const routing::ReadPolicy& policy = {});

 private:
  std::vector<NodeId> ids_;
  Scheduler scheduler_;
  std::mt19937_64 random_;
  Network network_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::map<std::string, std::vector<placement::Assignment>> history_;
  uint64_t requests_ = 0;
};

}  // namespace engram::simulation
