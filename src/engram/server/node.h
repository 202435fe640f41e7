// One node: everything it is made of, started and stopped in the right order.
//
// Start() and Stop() are called by one thread. Owns all parts.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/cluster/directory.h"
#include "engram/net/event_loop.h"
#include "engram/server/config.h"

namespace engram::server {

class Node {
 public:
  // Told, on some thread and at most once, that the node cannot become a member of its cluster, and
  // why.
  using Refused = absl::AnyInvocable<void(absl::Status)>;

  // Opens the data, binds the ports, begins to serve what it holds, and to look for its cluster.
  // REQUIRES: FinishConfig(config) succeeded.
  static absl::StatusOr<std::unique_ptr<Node>> Start(NodeConfig config, Refused refused = nullptr);

  // Tells the others that it goes, drains what is in flight (config.drain at most), then closes
  // everything.
  ~Node();

  const NodeConfig& config() const;
  // Who is in the cluster, as the node knows it.
  const cluster::Directory& directory() const;
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
