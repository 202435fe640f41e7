// Several writes, and commands of replication, that are made durable together. Each is atomic: it
// adds all of its effects or, failing, none. They see each other's effects in their order, and that
// order decides what is fenced: a write that comes after a promise is refused.
//
// For the commit thread only; made for one group.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/memory/apply.h"
#include "engram/memory/log_command.h"
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
  struct Options {
    NodeId node;
    // A write is refused whose clock would be further ahead of `now`: one node's wrong clock must
    // not become everybody's (SPEC C9). What was accepted elsewhere is never refused for it.
    Duration clock_ahead_max = std::chrono::seconds(60);
  };
  CommitGroup(Stores stores, Options options, WallMillis now);

  // The result to give once the group has committed. A request that was applied before gives its
  // remembered result; one whose id was used for another request is refused.
  // Of a holder that is not primary, into its branch if the write may go there; else kWrongNode.
  absl::StatusOr<WriteResult> Apply(PendingWrite& write);
  // kWrongNode if the log refuses it.
  [[nodiscard]] absl::Status Apply(PendingCommand& pending);

  // Writes everything, then shows it to readers. After an error nothing is shown.
  [[nodiscard]] absl::Status Commit(storage::Sync sync);

  // What the space's log is after what was applied so far. REQUIRES: something was applied to it.
  const replication::SpaceLog& LogOf(const SpaceId& space) const;

  // The spaces that were looked at; `changed` tells which were changed.
  const std::map<std::string, SpaceDraft>& drafts() const { return drafts_; }

 private:
  absl::StatusOr<std::optional<WriteResult>> Remembered(const PendingWrite& write) const;
  // Null if the space is neither in the table nor made by this group.
  SpaceDraft* FindDraft(const SpaceId& space);
  // One of which nothing is known yet.
  SpaceDraft& EmptyDraft(const SpaceId& space);
  // One with this node as its only holder.
  absl::StatusOr<SpaceDraft*> CreateDraft(const SpaceId& space);
  [[nodiscard]] absl::Status CheckClock(const SpaceDraft& space) const;
  absl::StatusOr<LogPlace> PlaceOf(const SpaceDraft& space, Branch branch) const;

  // Keys of the memories that were changed.
  std::vector<std::string> ChangedKeys() const;

  const Stores stores_;
  const Options options_;
  const WallMillis now_;
  absl::Status unfit_;  // why the batch must not be written
  const std::unique_ptr<storage::Batch> batch_;
  std::map<std::string, SpaceDraft> drafts_;  // ordered, so that a run repeats exactly
};

}  // namespace engram::memory
