// Several writes that are made durable together. Each is atomic: it adds all of its effects or,
// failing, none. They see each other's effects in their order.
//
// For the commit thread only; made for one group.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/memory/pending_write.h"
#include "engram/memory/reply_cache.h"
#include "engram/memory/space_draft.h"
#include "engram/memory/space_table.h"
#include "engram/storage/database.h"

namespace engram::memory {

class CommitGroup {
 public:
  // What a group changes; each outlives it.
  struct Stores {
    storage::Database& database;
    SpaceTable& spaces;
    ReplyCache& replies;
  };
  CommitGroup(Stores stores, NodeId node, WallMillis now);

  // The result to give once the group has committed. A request that was applied before gives its
  // remembered result; one whose id was used for another request is refused.
  absl::StatusOr<WriteResult> Apply(PendingWrite& write);

  // Writes everything, then shows it to readers. After an error nothing is shown.
  [[nodiscard]] absl::Status Commit(storage::Sync sync);

  // The spaces that were changed.
  const std::map<std::string, SpaceDraft>& drafts() const { return drafts_; }

 private:
  absl::StatusOr<std::optional<WriteResult>> Remembered(const PendingWrite& write) const;
  // Null if the space is neither in the table nor made by this group.
  SpaceDraft* FindDraft(const SpaceId& space);
  SpaceDraft& CreateDraft(const SpaceId& space, const WriteIdentity& identity);
  absl::StatusOr<WriteResult> ApplyIn(SpaceDraft& space, WriteOperation& operation);

  // Keys of the memories that were changed.
  std::vector<std::string> ChangedKeys() const;

  const Stores stores_;
  const NodeId node_;
  const WallMillis now_;
  const std::unique_ptr<storage::Batch> batch_;
  std::map<std::string, SpaceDraft> drafts_;  // ordered, so that a run repeats exactly
};

}  // namespace engram::memory
