#include "engram/net/connection_pool.h"

#include <algorithm>
#include <latch>
#include <map>
#include <mutex>
#include <utility>

#include "engram/net/loop_io.h"

namespace engram::net {
namespace {

// What the loops say, one after the other.
struct Report {
  std::mutex mutex;
  std::map<std::string, NodeConnections> nodes;
  size_t loops_missing;
  ConnectionPool::HealthDone done;
};

void Count(const std::vector<std::shared_ptr<Channel>>& channels, NodeConnections& node) {
  for (const std::shared_ptr<Channel>& channel : channels) {
    ++node.channels;
    if (channel->state() == Channel::State::kReady) ++node.ready;
    if (channel->state() == Channel::State::kBackingOff) ++node.backing_off;
  }
}

}  // namespace

ConnectionPool::ConnectionPool(EventLoopGroup& loops, ChannelOptions options,
                               size_t channels_per_node)
    : loops_(loops), options_(std::move(options)), channels_per_node_(channels_per_node) {
  for (size_t i = 0; i < loops.size(); ++i) tables_.push_back(std::make_shared<Table>());
}

ConnectionPool::~ConnectionPool() = default;

const std::shared_ptr<Channel>& ConnectionPool::Get(size_t loop_index, const NodeId& id,
                                                    std::string_view address) {
  Table& table = *tables_[loop_index];
  const auto it = table.nodes.find(id.view());
  Node& node = it != table.nodes.end() ? it->second : table.nodes[id.value()];
  if (node.address != address) {
    Leave(table, node);
    Open(loop_index, node, address);
  }
  EventLoop& loop = loops_.at(loop_index);
  loop.counters().channels_acquired.Add();
  TakeTurn(node, loop.io().flushes());
  return node.channels[node.current];
}

void ConnectionPool::TakeTurn(Node& node, uint64_t flushes) {
  if (node.flushes == flushes && node.current < node.channels.size()) return;
  node.flushes = flushes;
  if (++node.current >= node.channels.size()) node.current = 0;
}

void ConnectionPool::Leave(Table& table, Node& node) {
  std::erase_if(table.leaving, [](const auto& channel) { return !channel->busy(); });
  for (std::shared_ptr<Channel>& channel : node.channels) {
    channel->Drain();
    table.leaving.push_back(std::move(channel));
  }
  node.channels.clear();
}

void ConnectionPool::Open(size_t loop_index, Node& node, std::string_view address) {
  node.address = address;
  for (size_t i = 0; i < ChannelsOfLoop(loop_index); ++i) {
    node.channels.push_back(Channel::Create(loops_.at(loop_index), node.address, options_));
    loops_.at(loop_index).counters().channels_opened.Add();
  }
}

size_t ConnectionPool::ChannelsOfLoop(size_t loop_index) const {
  const size_t share = channels_per_node_ / loops_.size();
  const size_t remainder = channels_per_node_ % loops_.size();
  return std::max<size_t>(1, share + (loop_index < remainder ? 1 : 0));
}

void ConnectionPool::Remove(const NodeId& node) {
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_.at(i).Post([table = tables_[i], node] { table->nodes.erase(node.value()); });
  }
}

void ConnectionPool::Health(HealthDone done) {
  auto report = std::make_shared<Report>();
  report->loops_missing = loops_.size();
  report->done = std::move(done);
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_.at(i).Post([table = tables_[i], report] {
      std::unique_lock lock(report->mutex);
      for (const auto& [id, node] : table->nodes) {
        NodeConnections& connections = report->nodes[id];
        connections.node = NodeId(id);
        connections.address = node.address;
        Count(node.channels, connections);
      }
      if (--report->loops_missing > 0) return;
      lock.unlock();
      std::vector<NodeConnections> nodes;
      for (auto& [id, node] : report->nodes) nodes.push_back(std::move(node));
      report->done(std::move(nodes));
    });
  }
}

void ConnectionPool::Close() {
  std::latch open(static_cast<std::ptrdiff_t>(loops_.size()));
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_.at(i).Post([table = tables_[i], &open] {
      *table = Table();
      open.count_down();
    });
  }
  open.wait();
}

}  // namespace engram::net
