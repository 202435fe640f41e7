// A cluster of real nodes whose network the test splits: node i on host i of a SwitchedNetwork,
// with a space of its own, in which is one memory. The test asks every node directly, whatever is
// cut.
//
// Single-threaded use, but for ClientOf().
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/cluster.h"
#include "support/requests.h"
#include "support/switched_network.h"

namespace engram::testing {

// How much of the cluster a node thinks it reaches (SPEC R12).
struct Part {
  int reachable = 1;
  int total = 1;

  double Confidence() const { return 1 - 0.5 * (1 - static_cast<double>(reachable) / total); }
};

class SplitCluster {
 public:
  // The only memory of each space.
  static constexpr char kMemory[] = "tea";
  static constexpr char kContent[] = "tea is at four";

  // Returns when every node sees all of them alive, and every space is there. `flags` are more of
  // `engram serve`. The network must outlive it.
  SplitCluster(SwitchedNetwork& network, int nodes, const std::vector<std::string>& flags = {});

  TestCluster& nodes() { return nodes_; }
  SwitchedNetwork& network() { return network_; }
  const std::string& SpaceOf(int node) const { return spaces_[static_cast<size_t>(node)]; }
  client::Client& ClientOf(int node) { return *clients_[static_cast<size_t>(node)]; }

  // Asks at the node for what its own space holds.
  absl::StatusOr<client::Answer<v1::GetResponse>> Get(int at, int owner);
  absl::StatusOr<client::Answer<v1::RecallResponse>> Recall(int at, int owner);

  // Each of the nodes answers for its own space as one that reaches so much; false if that does not
  // come to pass.
  bool AwaitPart(const Hosts& nodes, Part part);
  // Their answers are no longer flagged.
  bool AwaitWhole(const Hosts& nodes);
  // Every node sees every node alive.
  bool AwaitAllAlive();

  // All series of that name in the node's metrics, summed up.
  double Counted(int node, std::string_view name) const;
  // What the node has begun to ask of other nodes: first tries and repeated ones, fallbacks,
  // hedges, questions who holds a space.
  double Attempts(int node) const;

 private:
  bool SeesAllAlive(int node);

  SwitchedNetwork& network_;
  TestCluster nodes_;
  std::vector<std::unique_ptr<client::Client>> clients_;  // by node, which it asks and no other
  std::vector<std::string> spaces_;                       // by owner
};

}  // namespace engram::testing
