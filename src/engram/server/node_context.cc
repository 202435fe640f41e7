#include "engram/server/node_context.h"

#include <algorithm>

#include "absl/base/macros.h"
#include "engram/server/look_ups.h"
#include "engram/server/peer_calls.h"

namespace engram::server {
namespace {

std::vector<NodeId> IdsOf(const std::vector<PeerConfig>& peers) {
  std::vector<NodeId> ids;
  for (const PeerConfig& peer : peers) ids.push_back(peer.id);
  return ids;
}

routing::NodeOptions HealthOptionsOf(const NodeConfig& config) {
  routing::NodeOptions options;
  options.breaker.failures_max = config.breaker_failures;
  options.breaker.open_for = config.breaker_open;
  options.breaker.open_max = 10 * config.breaker_open;
  options.budget.ratio = config.retry_budget / 100.0;
  return options;
}

}  // namespace

LoopState::LoopState(net::EventLoop& l, size_t i, uint64_t seed, LoggedBreakers& logged)
    : loop(&l), index(i), random(seed), log(logged), slow_calls(l) {}

LoopState::~LoopState() { live_calls.AbandonAll(); }

NodeContext::NodeContext(const NodeConfig& c, net::EventLoopGroup& l, net::ConnectionPool& p,
                         uint64_t seed)
    : config(c),
      self(c.node_id),
      loops(l),
      pool(p),
      ring(IdsOf(c.peers)),
      nodes(HealthOptionsOf(c)),
      self_index(nodes.Intern(c.node_id)),
      table(nodes),
      held(nodes),
      metrics(l.size()) {
  for (const NodeId& id : ring.nodes()) members_.push_back(nodes.Intern(id));
  addresses_.resize(nodes.size());
  for (const PeerConfig& peer : c.peers) {
    addresses_[static_cast<size_t>(nodes.Intern(peer.id))] = peer.address;
  }
  nodes.Of(self_index).distance = routing::Distance::kSelf;
  for (size_t i = 0; i < l.size(); ++i) {
    states_.push_back(std::make_unique<LoopState>(l.at(i), i, seed + i, logged_breakers));
    states_.back()->look_ups = std::make_unique<LookUps>(*this, *states_.back());
    states_.back()->peer_calls = std::make_unique<PeerCalls>(*this, *states_.back());
  }
}

NodeContext::~NodeContext() = default;

LoopState& NodeContext::StateOf(const net::EventLoop& loop) {
  auto it =
      std::find_if(states_.begin(), states_.end(), [&](const auto& s) { return s->loop == &loop; });
  ABSL_HARDENING_ASSERT(it != states_.end());
  return **it;
}

bool NodeContext::IsMember(routing::NodeIndex node) const {
  return static_cast<size_t>(node) < addresses_.size();
}

const std::string& NodeContext::AddressOf(routing::NodeIndex node) const {
  return addresses_[static_cast<size_t>(node)];
}

const std::string* NodeContext::AddressOf(const NodeId& node) const {
  auto index = nodes.Find(node.view());
  return index.has_value() && IsMember(*index) ? &AddressOf(*index) : nullptr;
}

routing::Knowledge NodeContext::KnowledgeOf(std::string_view space) const {
  routing::Knowledge knowledge{table.Find(space), held.Find(space), routing::kNoNode};
  if (knowledge.known.has_value() || knowledge.held.has_value()) return knowledge;
  const NodeId& first = ring.FirstHolder(space);
  knowledge.proposed = members_[static_cast<size_t>(&first - ring.nodes().data())];
  return knowledge;
}

}  // namespace engram::server
