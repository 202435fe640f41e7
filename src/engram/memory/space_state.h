// One space of this node in memory: its record, what its log contains and, once somebody recalls
// from it, its index.
//
// The index is loaded at the first recall (a space nobody asks costs no memory but its record)
// while writes go on: changes committed during a load are kept aside and applied before the index
// is published. The same way replaces an index that has grown wasteful.
//
// Thread-safe. Shared by the engine's threads; Publish is for the commit thread only. Its lock is
// never held across I/O.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "engram/base/mutex.h"
#include "engram/memory/records.h"
#include "engram/memory/space_index.h"
#include "engram/replication/space_log.h"
#include "engram/storage/database.h"

namespace engram::memory {

class SpaceState {
 public:
  // What the database holds of the space when the state is made. Of nothing, the index is empty and
  // there from the start.
  enum class Stored : uint8_t { kNothing, kSomething };

  SpaceState(SpaceId id, SpaceRecord record, replication::SpaceLog log, Stored stored);

  const SpaceId& id() const { return id_; }
  SpaceRecord record() const;
  replication::SpaceLog log() const;
  // A holder that is bound to somebody, but has no change yet: for readers there is no space.
  bool HasChanges() const;

  // What the commit thread made durable, in its order.
  void Publish(const SpaceRecord& record, const replication::SpaceLog& log,
               const std::vector<IndexChange>& changes);

  // Returns when the index is there; one caller loads, the others wait.
  [[nodiscard]] absl::Status EnsureLoaded(const storage::Database& database);

  // Loads a fresh index and puts it in the place of the present one, which serves until then.
  // Keeper only.
  [[nodiscard]] absl::Status Reload(const storage::Database& database);

  // Calls `read` with the index. REQUIRES: EnsureLoaded succeeded.
  void Read(absl::FunctionRef<void(const SpaceIndex&)> read) const;

  // True if the index is loaded and has more than `exact_vectors_max` rows that no graph covers all
  // of, or is wasteful: the keeper should look after it.
  bool NeedsCare(size_t exact_vectors_max) const;

  void SetGraph(std::shared_ptr<VectorGraph> graph);

 private:
  [[nodiscard]] absl::Status Load(const storage::Database& database);

  const SpaceId id_;
  mutable Mutex mutex_;
  SpaceRecord record_ ABSL_GUARDED_BY(mutex_);
  replication::SpaceLog log_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<SpaceIndex> index_ ABSL_GUARDED_BY(mutex_);  // null: not loaded
  bool loading_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<IndexChange> missed_ ABSL_GUARDED_BY(mutex_);  // committed while loading
};

}  // namespace engram::memory
