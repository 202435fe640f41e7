// The channels to all nodes, a few per node, shared out over the loops so that no request changes
// threads.
//
// Every loop has a table of its own that only it touches: no locks. Channels connect when first
// called and are used in turn: one for what a wake-up sends, which so leaves in one write, and the
// next for the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/base/string_hash.h"
#include "engram/base/strong_id.h"
#include "engram/net/channel.h"
#include "engram/net/event_loop.h"

namespace engram::net {

// The connections to one node, all loops together.
struct NodeConnections {
  NodeId node;
  std::string address;
  size_t channels = 0;
  size_t ready = 0;
  size_t backing_off = 0;  // could not connect a moment ago

  // A node that was not called yet is not unhealthy.
  bool healthy() const { return ready > 0 || backing_off == 0; }
};

class ConnectionPool {
 public:
  // `loops` must outlive the pool. Each loop gets channels_per_node / loops channels to a node, and
  // at least one. REQUIRES: channels_per_node >= 1.
  ConnectionPool(EventLoopGroup& loops, ChannelOptions options, size_t channels_per_node = 4);
  // REQUIRES: Close() was called, or the loops are stopped.
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // The channel of loop `loop_index` to the node whose turn it is; on that loop's thread only. If
  // the node was at another address before, its channels there take no more calls, and end when
  // those in flight have. The reference lives until the node's next change on this loop, which no
  // other thread makes while a task of this loop runs.
  const std::shared_ptr<Channel>& Get(size_t loop_index, const NodeId& node,
                                      std::string_view address);

  // Ends the channels to the node on all loops, and their calls with UNAVAILABLE. Any thread.
  void Remove(const NodeId& node);

  // `done` gets the connections to all nodes that were called, in the order of their ids, on some
  // loop. Any thread, while the loops run.
  using HealthDone = absl::AnyInvocable<void(std::vector<NodeConnections>)>;
  void Health(HealthDone done);

  // Ends all channels and waits until that is done. Any thread but a loop's, while the loops run.
  void Close();

 private:
  struct Node {
    std::string address;
    std::vector<std::shared_ptr<Channel>> channels;
    size_t current = 0;
    uint64_t flushes = 0;  // the loop's, when `current` was chosen
  };
  // Of one loop.
  struct Table {
    StringMap<Node> nodes;
    std::vector<std::shared_ptr<Channel>> leaving;  // to former addresses
  };

  size_t ChannelsOfLoop(size_t loop_index) const;
  static void TakeTurn(Node& node, uint64_t flushes);
  void Open(size_t loop_index, Node& node, std::string_view address);
  static void Leave(Table& table, Node& node);

  EventLoopGroup& loops_;
  const ChannelOptions options_;
  const size_t channels_per_node_;
  // By loop; shared with tasks that are still queued when the pool goes.
  std::vector<std::shared_ptr<Table>> tables_;
};

}  // namespace engram::net
