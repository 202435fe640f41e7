#include "engram/server/node_context.h"

#include <algorithm>

#include "absl/base/macros.h"
#include "engram/server/look_ups.h"
#include "engram/server/peer_calls.h"

namespace engram::server {
namespace {

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
      nodes(HealthOptionsOf(c)),
      self_index(nodes.Intern(c.node_id)),
      directory(nodes, self_index, c.advertise),
      table(nodes),
      held(nodes),
      metrics(l.size()) {
  // Until the control plane knows better, nobody is asked and nothing is made.
  reachability.Store({true, 1, 1});
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

routing::Knowledge NodeContext::KnowledgeOf(std::string_view space) const {
  routing::Knowledge knowledge{table.Find(space), held.Find(space), routing::kNoNode};
  if (knowledge.known.has_value() || knowledge.held.has_value()) return knowledge;
  knowledge.proposed = directory.FirstHolder(space, static_cast<size_t>(config.copies));
  return knowledge;
}

}  // namespace engram::server
