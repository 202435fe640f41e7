#include "engram/server/node_context.h"

#include <algorithm>

#include "absl/base/macros.h"

namespace engram::server {
namespace {

std::vector<NodeId> IdsOf(const std::vector<PeerConfig>& peers) {
  std::vector<NodeId> ids;
  for (const PeerConfig& peer : peers) ids.push_back(peer.id);
  return ids;
}

}  // namespace

NodeContext::NodeContext(const NodeConfig& c, net::EventLoopGroup& l, net::ConnectionPool& p,
                         uint64_t seed)
    : config(c), self(c.node_id), loops(l), pool(p), ring(IdsOf(c.peers)), metrics(l.size()) {
  for (const PeerConfig& peer : c.peers) addresses_[peer.id.value()] = peer.address;
  for (size_t i = 0; i < l.size(); ++i)
    states_.push_back({&l.at(i), i, std::mt19937_64(seed + i), {}, {}});
}

LoopState& NodeContext::StateOf(const net::EventLoop& loop) {
  auto it = std::find_if(states_.begin(), states_.end(),
                         [&](const LoopState& s) { return s.loop == &loop; });
  ABSL_HARDENING_ASSERT(it != states_.end());
  return *it;
}

const std::string* NodeContext::AddressOf(const NodeId& node) const {
  auto it = addresses_.find(node.view());
  return it == addresses_.end() ? nullptr : &it->second;
}

}  // namespace engram::server
