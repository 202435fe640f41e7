// The bounded queue of writes, and of commands of replication, and the one thread that commits
// them: it takes what has come while the last group was being synced, so that the cost of a sync is
// shared by all who wait (group commit).
//
// Thread-safe. Owned by the engine; the destructor commits what is queued and joins the thread.
// `done`s run on the thread, outside every lock.
#pragma once

#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "engram/base/mutex.h"
#include "engram/memory/local_store.h"

namespace engram::memory {

struct CommitQueueOptions {
  size_t writes_max = 10'000;
  size_t bytes_max = 64u << 20;
};

class CommitQueue {
 public:
  // Commits a group: LocalStore::Commit.
  using Commit = absl::AnyInvocable<void(std::vector<Pending>)>;

  CommitQueue(CommitQueueOptions options, Commit commit);
  ~CommitQueue();
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  // OK, or Overloaded with a retry-after while the queue is full. A hint: Submit decides.
  [[nodiscard]] absl::Status CheckRoom() const;

  // Queues it, or calls its `done` with Overloaded.
  void Submit(Pending pending);

 private:
  void Run();
  // Waits for something; empty when there is nothing and nothing will come.
  std::vector<Pending> TakeGroup();
  absl::Status RoomFor(size_t bytes) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const CommitQueueOptions options_;
  Commit commit_;  // used by the thread only

  mutable Mutex mutex_;
  std::deque<Pending> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace engram::memory
