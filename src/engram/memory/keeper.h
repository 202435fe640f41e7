// The engine's one background thread: it grows the graphs of spaces with many embeddings and loads
// wasteful indexes anew.
//
// Thread-safe. Owned by the engine; the destructor waits for the step that is being made, some
// milliseconds (a reload: until it is done).
#pragma once

#include <deque>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "engram/base/mutex.h"
#include "engram/memory/space_state.h"

namespace engram::memory {

class Keeper {
 public:
  Keeper(const storage::Database& database, size_t exact_vectors_max);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Looks after the space soon, loading its index if it is not there.
  void Visit(std::shared_ptr<SpaceState> space);

  // Nothing is left to do. For tests and benches.
  bool Idle() const;

 private:
  void Run();
  std::shared_ptr<SpaceState> Next();
  void LookAfter(SpaceState& space);
  void GrowGraph(SpaceState& space);
  bool stopping() const;

  const storage::Database& database_;
  const size_t exact_vectors_max_;

  mutable Mutex mutex_;
  std::deque<std::shared_ptr<SpaceState>> queue_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<const SpaceState*> queued_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace engram::memory
