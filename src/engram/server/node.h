// One node: everything it is made of, started and stopped in the right order.
//
// Start() and Stop() are called by one thread. Owns all parts.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "engram/net/event_loop.h"
#include "engram/server/config.h"

namespace engram::server {

class Node {
 public:
  // Opens the data, binds the port, begins to serve. REQUIRES: FinishConfig(config) succeeded.
  static absl::StatusOr<std::unique_ptr<Node>> Start(NodeConfig config);

  // Drains what is in flight (config.drain at most), then closes everything.
  ~Node();

  const NodeConfig& config() const;
  // For its counters.
  const net::EventLoopGroup& loops() const;

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

// Runs a node until SIGTERM or SIGINT, then drains it. The process's `serve` command.
absl::Status ServeUntilSignal(NodeConfig config);

}  // namespace engram::server
