#include "engram/routing/node_table.h"

#include "absl/base/macros.h"

namespace engram::routing {

NodeTable::~NodeTable() {
  for (auto& chunk : chunks_) delete chunk.load(std::memory_order_relaxed);
}

NodeIndex NodeTable::Intern(const NodeId& node) {
  WriterLock lock(&mutex_);
  auto known = by_id_.find(node.view());
  if (known != by_id_.end()) return known->second;
  const size_t next = size_.load(std::memory_order_relaxed);
  ABSL_HARDENING_ASSERT(next < kNodesMax);
  std::atomic<Chunk*>& chunk = chunks_[next / kChunk];
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    chunk.store(new Chunk, std::memory_order_release);
  }
  (*chunk.load(std::memory_order_relaxed))[next % kChunk] =
      std::make_unique<NodeState>(node, options_);
  by_id_.emplace(node.value(), NodeIndex(next));
  size_.store(next + 1, std::memory_order_release);
  return NodeIndex(next);
}

std::optional<NodeIndex> NodeTable::Find(std::string_view node) const {
  WriterLock lock(&mutex_);
  auto known = by_id_.find(node);
  if (known == by_id_.end()) return std::nullopt;
  return known->second;
}

NodeState& NodeTable::Of(NodeIndex node) const {
  const auto i = static_cast<size_t>(node);
  return *(*chunks_[i / kChunk].load(std::memory_order_acquire))[i % kChunk];
}

void NodeTable::SetAddress(NodeIndex node, std::string_view address) {
  NodeState& state = Of(node);
  WriterLock lock(&mutex_);
  const std::string* known = state.address.load(std::memory_order_relaxed);
  if (known != nullptr && *known == address) return;
  state.address.store(&addresses_.emplace_back(address), std::memory_order_release);
}

bool NodeTable::Newer(const RouteVersion& a, const RouteVersion& b) const {
  if (a.epoch_counter != b.epoch_counter) return a.epoch_counter > b.epoch_counter;
  if (a.epoch_primary == b.epoch_primary) return a.sequence > b.sequence;
  return ToVersion(a) > ToVersion(b);
}

Version NodeTable::ToVersion(const RouteVersion& version) const {
  Version named{{version.epoch_counter, NodeId()}, version.sequence};
  if (version.epoch_primary != kNoNode) named.epoch.primary = IdOf(version.epoch_primary);
  return named;
}

}  // namespace engram::routing
