// The channels to all nodes, a few per node, shared out over the loops so that no request changes
// threads.
//
// Every loop has a table of its own that only it touches: no locks. Channels open when first called
// and are used in turn. Health reports come from Channel::state().
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engram/base/string_hash.h"
#include "engram/net/channel.h"
#include "engram/net/event_loop.h"

namespace engram::net {

class ConnectionPool {
 public:
  // `loops` must outlive the pool. Each loop gets channels_per_node / loops channels to a node, and
  // at least one. REQUIRES: channels_per_node >= 1.
  ConnectionPool(EventLoopGroup& loops, ChannelOptions options, size_t channels_per_node = 4);
  // REQUIRES: Close() was called, or the loops are stopped.
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // The next channel of loop `loop_index` to `address`; on that loop's thread only. The reference
  // lives until the address is removed on this loop, which no other thread does while a task of
  // this loop runs.
  const std::shared_ptr<Channel>& Get(size_t loop_index, std::string_view address);

  // Ends the channels to `address` on all loops, and their calls with UNAVAILABLE. Any thread.
  void Remove(std::string_view address);

  // Ends all channels and waits until that is done. Any thread but a loop's, while the loops run.
  void Close();

 private:
  struct Node {
    std::vector<std::shared_ptr<Channel>> channels;
    size_t next = 0;
  };
  using NodeMap = StringMap<Node>;

  size_t ChannelsOfLoop(size_t loop_index) const;
  Node& AddNode(size_t loop_index, std::string_view address);

  EventLoopGroup& loops_;
  const ChannelOptions options_;
  const size_t channels_per_node_;
  // By loop; shared with tasks that are still queued when the pool goes.
  std::vector<std::shared_ptr<NodeMap>> nodes_;
};

}  // namespace engram::net
