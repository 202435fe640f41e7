// The processes of a cluster of nodes on this machine, one each; DIR/node-I/pid and DIR/node-I/log
// beside its configuration.
//
// Single-threaded. The nodes are started by exec of this same program.
#pragma once

#include <sys/types.h>

#include <optional>

#include "absl/status/status.h"
#include "engram/base/time.h"
#include "engram/cli/cluster_spec.h"

namespace engram::cli {

enum class Attachment : uint8_t {
  kForeground,  // the nodes end with this process, whatever ends it
  kDetached,    // they go on in sessions of their own
};

// Starts every node. InvalidArgument if one runs already.
[[nodiscard]] absl::Status StartNodes(const ClusterSpec& spec, Attachment attachment);

// Waits until every node answers. The error shows the end of the log of a node that has ended.
[[nodiscard]] absl::Status AwaitReady(const ClusterSpec& spec, TimePoint deadline);

// The process id of a node of this directory that runs now.
std::optional<pid_t> RunningNode(const ClusterSpec& spec, int i);

// SIGTERM to each, SIGKILL to those that still run at the deadline; returns how many were stopped.
int StopNodes(const ClusterSpec& spec, TimePoint deadline);

}  // namespace engram::cli
