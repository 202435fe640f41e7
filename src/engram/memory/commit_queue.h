// The bounded queue of writes and the one thread that commits them: it takes what has come while
// the last group was being synced, so that the cost of a sync is shared by all who wait (group
// commit).
//
// Thread-safe. Owned by the engine; the destructor commits what is queued and joins the thread.
// `done`s run on the thread, outside every lock. After a failed write every later write fails: what
// the disk holds then is known again only after the directory has been opened anew.
#pragma once

#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "engram/base/mutex.h"
#include "engram/memory/commit_group.h"
#include "engram/memory/pending_write.h"

namespace engram::memory {

struct CommitQueueOptions {
  storage::Sync sync = storage::Sync::kYes;
  size_t writes_max = 10'000;
  size_t bytes_max = 64u << 20;
};

class CommitQueue {
 public:
  // Begins a group, now.
  using MakeGroup = absl::AnyInvocable<CommitGroup()>;
  // Told about each group that was committed, before its `done`s.
  using Committed = absl::AnyInvocable<void(const CommitGroup&)>;

  CommitQueue(CommitQueueOptions options, MakeGroup make_group, Committed committed);
  ~CommitQueue();
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  // OK, or Overloaded with a retry-after while the queue is full. A hint: Submit decides.
  [[nodiscard]] absl::Status CheckRoom() const;

  // Queues the write, or calls its `done` with Overloaded.
  void Submit(PendingWrite write);

 private:
  void Run();
  // Waits for writes; empty when there are none and none will come.
  std::vector<PendingWrite> TakeGroup();
  void CommitOne(std::vector<PendingWrite> writes);
  absl::Status RoomFor(size_t bytes) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const CommitQueueOptions options_;
  // Used by the thread only.
  MakeGroup make_group_;
  Committed committed_;
  absl::Status failed_;

  mutable Mutex mutex_;
  std::deque<PendingWrite> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace engram::memory
