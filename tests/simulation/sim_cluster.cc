#include "simulation/sim_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace engram::simulation {

using placement::Assignment;

SimCluster::SimCluster(const SimOptions& options)
    : random_(options.seed), network_(scheduler_, options.nodes, options.link, random_()) {
  for (size_t i = 0; i < options.nodes; ++i) ids_.emplace_back(fmt::format("node-{:03}", i));
  for (size_t i = 0; i < options.nodes; ++i) {
    nodes_.push_back(std::make_unique<SimNode>(i, ids_, scheduler_, network_, nodes_, options.plan,
                                               options.health, random_()));
  }
}

size_t SimCluster::IndexOf(const NodeId& id) const {
  return static_cast<size_t>(std::find(ids_.begin(), ids_.end(), id) - ids_.begin());
}

void SimCluster::Place(const std::string& space, size_t primary,
                       const std::vector<size_t>& replicas) {
  std::vector<Assignment>& history = history_[space];
  Assignment next{SpaceId(space), ids_[primary], {}, {{history.size() + 1, ids_[primary]}, 1}};
  for (size_t replica : replicas) next.replicas.push_back(ids_[replica]);
  Holding content;
  for (auto& node : nodes_) {
    auto held = node->holdings().find(space);
    if (held == node->holdings().end()) continue;
    content.writes.merge(held->second.writes);
    node->holdings().erase(held);
    node->table().Apply(std::span(&next, 1));
  }
  content.assignment = next;
  nodes_[primary]->holdings()[space] = content;
  for (size_t replica : replicas) nodes_[replica]->holdings()[space] = content;
  history.push_back(std::move(next));
}

void SimCluster::FailOver(const std::string& space, size_t primary) {
  std::vector<Assignment>& history = history_[space];
  Assignment next = history.back();
  std::erase(next.replicas, ids_[primary]);
  next.replicas.push_back(std::exchange(next.primary, ids_[primary]));
  next.version = {{history.size() + 1, ids_[primary]}, 1};
  history.push_back(next);
  for (auto& node : nodes_) {
    auto held = node->holdings().find(space);
    if (held == node->holdings().end()) continue;
    if (network_.condition(node->index()) == Condition::kUp) held->second.assignment = next;
  }
}

void SimCluster::Rejoin(size_t node) {
  network_.Set(node, Condition::kUp);
  for (auto& [space, held] : nodes_[node]->holdings()) held.assignment = history_[space].back();
}

void SimCluster::Ask(size_t entry, routing::Operation op, const std::string& space,
                     SimNode::Done done, Duration limit) {
  nodes_[entry]->Route({op, space, ++requests_, scheduler_.now() + limit}, std::move(done));
}

void SimCluster::AskMany(size_t entry, const std::vector<std::string>& spaces,
                         SimScatter::Done done, const routing::ReadPolicy& policy) {
  const TimePoint deadline = scheduler_.now() + std::chrono::seconds(10);
  std::make_shared<SimScatter>(*nodes_[entry], spaces, policy, deadline, std::move(done))->Start();
}

}  // namespace engram::simulation
