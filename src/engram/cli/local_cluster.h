// The processes of a cluster of nodes on this machine, one each; DIR/node-I/log beside its
// configuration, log.1 of the run before.
//
// A node's process is told by its command line, which names its configuration: nothing is stored
// that could be stale, and a node that was started by hand is found too. Single-threaded. The nodes
// are started by exec of this same program.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/base/time.h"
#include "engram/cli/cluster_spec.h"

namespace engram::cli {

// Held while a cluster is being started, so that two commands do not start it at once. Released
// with the object, or the process.
class StartLock {
 public:
  // Makes the directory if needed. InvalidArgument if another process holds the lock.
  static absl::StatusOr<StartLock> Take(const std::filesystem::path& dir);
  StartLock(StartLock&& other) noexcept;
  StartLock& operator=(StartLock&&) = delete;
  ~StartLock();

 private:
  explicit StartLock(int fd) : fd_(fd) {}
  int fd_;
};

enum class Attachment : uint8_t {
  kForeground,  // the nodes end with this process, whatever ends it
  kDetached,    // they go on in sessions of their own
};

// Starts the nodes that do not run, and returns which. InvalidArgument if all do.
absl::StatusOr<std::vector<int>> StartNodes(const ClusterSpec& spec, Attachment attachment);

// Waits until every node answers, as this cluster's. The error shows the end of the log of a node
// that has ended.
[[nodiscard]] absl::Status AwaitReady(const ClusterSpec& spec, TimePoint deadline);

// The process id of a node of this directory that runs now.
std::optional<pid_t> RunningNode(const ClusterSpec& spec, int i);

struct StoppedNodes {
  int count = 0;
  std::vector<int> killed;  // of them, those that had not ended by the deadline
};

// SIGTERM to each, SIGKILL to those that still run at the deadline.
StoppedNodes StopNodes(const ClusterSpec& spec, const std::vector<int>& nodes, TimePoint deadline);

}  // namespace engram::cli
