// Writes what the control loop wants kept, on a thread of its own: a disk that stalls must not make
// a node that is well look dead. What is newer replaces what still waits.
//
// Thread-safety: everything from any thread. The store is used by nobody else meanwhile.
#pragma once

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/cluster/cluster_store.h"

namespace engram::cluster {

class Journal {
 public:
  explicit Journal(ClusterStore& store);
  // What waits is written first.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void SaveIncarnation(membership::Incarnation incarnation);
  void SaveMembers(std::string state);
  void SaveAssignments(std::vector<placement::Assignment> changed);

 private:
  struct Pending {
    std::optional<membership::Incarnation> incarnation;
    std::optional<std::string> members;
    std::vector<placement::Assignment> assignments;

    bool empty() const { return !incarnation && !members && assignments.empty(); }
  };

  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !pending_.empty();
  }
  absl::Status Write(const Pending& pending);

  ClusterStore& store_;
  Mutex mutex_;
  Pending pending_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool failing_ = false;  // the thread's: the last write failed, and that was logged
  std::thread thread_;
};

}  // namespace engram::cluster
