#include "support/views.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "support/requests.h"

namespace engram::testing {
namespace {

constexpr std::chrono::seconds kAnswerLimit{5};

template <class Condition>
bool All(const std::vector<int>& nodes, Condition condition) {
  return std::all_of(nodes.begin(), nodes.end(), condition);
}

size_t LinesWith(const TestCluster& cluster, int at, const std::string& text) {
  std::istringstream log(ReadAll(cluster.Log(at)));
  size_t count = 0;
  // The space ends a name: node-1 is not node-10.
  for (std::string line; std::getline(log, line);)
    count += (line + " ").find(text + " ") != std::string::npos;
  return count;
}

}  // namespace

v1::GetStatusResponse StatusOf(const TestCluster& cluster, int at) {
  auto status = cluster.Client({at}, kAnswerLimit)->GetStatus({});
  return status.ok() ? std::move(status->message) : v1::GetStatusResponse();
}

v1::NodeInfo InfoOf(const TestCluster& cluster, int at, int about) {
  auto nodes = cluster.Client({at}, kAnswerLimit)->ListNodes({});
  if (!nodes.ok()) return {};
  for (const v1::NodeInfo& node : nodes->message.nodes()) {
    if (node.id() == cluster.Name(about)) return node;
  }
  return {};
}

bool AllSee(const TestCluster& cluster, const std::vector<int>& at, int about,
            v1::NodeState state) {
  return All(at, [&](int i) { return InfoOf(cluster, i, about).state() == state; });
}

bool AllCount(const TestCluster& cluster, const std::vector<int>& at, uint32_t total) {
  return All(at, [&](int i) { return StatusOf(cluster, i).total() == total; });
}

bool AllKnow(const TestCluster& cluster, const std::vector<int>& at, const std::string& space) {
  v1::ResolveRouteRequest question;
  question.set_space(space);
  return All(at, [&](int i) {
    auto route = cluster.Client({i}, kAnswerLimit)->ResolveRoute(question);
    return route.ok() && route->message.source() == "assignment";
  });
}

bool AllGet(const TestCluster& cluster, const std::vector<int>& at, const std::string& space,
            const std::string& id) {
  return All(
      at, [&](int i) { return cluster.Client({i}, kAnswerLimit)->Get(MakeGet(space, id)).ok(); });
}

std::vector<int> Others(const TestCluster& cluster, int without) {
  std::vector<int> nodes = cluster.Indexes();
  std::erase(nodes, without);
  return nodes;
}

size_t Logged(const TestCluster& cluster, int at, const std::string& event, int about) {
  return LinesWith(cluster, at, fmt::format("event={} node={}", event, cluster.Name(about)));
}

size_t Logged(const TestCluster& cluster, int at, const std::string& event) {
  return LinesWith(cluster, at, "event=" + event);
}

void Stopwatch::Print(const std::string& what) const {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const Milliseconds took = std::chrono::steady_clock::now() - begun_;
  fmt::print("[ MEASURED ] {}: {:.0f} ms\n", what, took.count());
}

}  // namespace engram::testing
