#include "engram/net/connection_pool.h"

#include <algorithm>
#include <latch>
#include <utility>

namespace engram::net {

ConnectionPool::ConnectionPool(EventLoopGroup& loops, ChannelOptions options,
                               size_t channels_per_node)
    : loops_(loops), options_(options), channels_per_node_(channels_per_node) {
  for (size_t i = 0; i < loops.size(); ++i) nodes_.push_back(std::make_shared<NodeMap>());
}

ConnectionPool::~ConnectionPool() = default;

const std::shared_ptr<Channel>& ConnectionPool::Get(size_t loop_index, std::string_view address) {
  NodeMap& nodes = *nodes_[loop_index];
  const auto it = nodes.find(address);
  Node& node = it != nodes.end() ? it->second : AddNode(loop_index, address);
  if (++node.next >= node.channels.size()) node.next = 0;
  return node.channels[node.next];
}

ConnectionPool::Node& ConnectionPool::AddNode(size_t loop_index, std::string_view address) {
  Node& node = (*nodes_[loop_index])[std::string(address)];
  for (size_t i = 0; i < ChannelsOfLoop(loop_index); ++i) {
    node.channels.push_back(Channel::Create(loops_.at(loop_index), std::string(address), options_));
  }
  return node;
}

size_t ConnectionPool::ChannelsOfLoop(size_t loop_index) const {
  const size_t share = channels_per_node_ / loops_.size();
  const size_t remainder = channels_per_node_ % loops_.size();
  return std::max<size_t>(1, share + (loop_index < remainder ? 1 : 0));
}

void ConnectionPool::Remove(std::string_view address) {
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_.at(i).Post([nodes = nodes_[i], name = std::string(address)] { nodes->erase(name); });
  }
}

void ConnectionPool::Close() {
  std::latch open(static_cast<std::ptrdiff_t>(loops_.size()));
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_.at(i).Post([nodes = nodes_[i], &open] {
      nodes->clear();
      open.count_down();
    });
  }
  open.wait();
}

}  // namespace engram::net
