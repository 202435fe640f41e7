#include "support/split_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "support/scrape.h"

namespace engram::testing {
namespace {

TestClusterOptions OnHosts(const SwitchedNetwork& network, int nodes,
                           const std::vector<std::string>& flags) {
  TestClusterOptions options;
  options.nodes = nodes;
  options.network = &network;
  options.flags = flags;
  return options;
}

bool AllOf(const Hosts& nodes, const std::function<bool(int)>& condition) {
  return std::all_of(nodes.begin(), nodes.end(), condition);
}

}  // namespace

SplitCluster::SplitCluster(SwitchedNetwork& network, int nodes,
                           const std::vector<std::string>& flags)
    : network_(network), nodes_(OnHosts(network, nodes, flags)) {
  for (int node = 0; node < nodes; ++node) {
    spaces_.push_back(nodes_.SpaceOn(node));
    clients_.push_back(nodes_.Client({node}, std::chrono::seconds(10)));
  }
  EXPECT_TRUE(AwaitAllAlive());
  for (int node = 0; node < nodes; ++node) {
    const auto stored = ClientOf(node).Store(MakeStore(SpaceOf(node), kMemory, kContent));
    EXPECT_TRUE(stored.ok() && stored->served_by == nodes_.Name(node)) << stored.status();
  }
}

absl::StatusOr<client::Answer<v1::GetResponse>> SplitCluster::Get(int at, int owner) {
  return ClientOf(at).Get(MakeGet(SpaceOf(owner), kMemory));
}

absl::StatusOr<client::Answer<v1::RecallResponse>> SplitCluster::Recall(int at, int owner) {
  return ClientOf(at).Recall(MakeRecall(SpaceOf(owner), kMemory));
}

bool SplitCluster::AwaitPart(const Hosts& nodes, Part part) {
  return Eventually([&] {
    return AllOf(nodes, [&](int node) {
      const auto answer = Recall(node, node);
      return answer.ok() && answer->degraded &&
             std::abs(answer->message.confidence() - part.Confidence()) < 1e-6;
    });
  });
}

bool SplitCluster::AwaitWhole(const Hosts& nodes) {
  return Eventually([&] {
    return AllOf(nodes, [&](int node) {
      const auto answer = Recall(node, node);
      return answer.ok() && !answer->degraded && answer->message.confidence() == 1;
    });
  });
}

bool SplitCluster::SeesAllAlive(int node) {
  const auto answer = ClientOf(node).ListNodes({});
  if (!answer.ok() || answer->message.nodes_size() != nodes_.size()) return false;
  const auto& seen = answer->message.nodes();
  return std::all_of(seen.begin(), seen.end(),
                     [](const v1::NodeInfo& info) { return info.state() == v1::NODE_STATE_ALIVE; });
}

bool SplitCluster::AwaitAllAlive() {
  return Eventually([&] {
    for (int node = 0; node < nodes_.size(); ++node) {
      if (!SeesAllAlive(node)) return false;
    }
    return true;
  });
}

double SplitCluster::Counted(int node, std::string_view name) const {
  return SumOf(Scrape(nodes_, node), name);
}

double SplitCluster::Attempts(int node) const {
  const std::string scraped = Scrape(nodes_, node);
  double sum = 0;
  for (const char* name :
       {"engram_routing_hops_total", "engram_routing_lookups_total", "engram_routing_retries_total",
        "engram_routing_fallbacks_total", "engram_routing_hedges_total"}) {
    sum += SumOf(scraped, name);
  }
  return sum;
}

}  // namespace engram::testing
