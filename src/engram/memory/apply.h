// What each kind of write does to the database and the index: reads through the batch, decides,
// then adds all of its effects (record, terms, links, vector, log entry) to the batch and the
// draft. An error leaves both untouched. The remembered result and the space record are the group's
// (commit_group.h).
//
// For the commit thread only.
#pragma once

#include "absl/status/statusor.h"
#include "engram/memory/pending_write.h"
#include "engram/memory/space_draft.h"
#include "engram/storage/database.h"

namespace engram::memory {

struct ApplyContext {
  storage::Batch& batch;
  SpaceDraft& space;
  WallMillis now;
};

// A store replaces the memory wholly: content, tags, metadata, embedding and links are the
// command's, also where those are empty. Only occurred_at, confidence and kind stay as they were
// when the command leaves them out. The new revision comes after the old one, so no sibling arises;
// a forgotten memory comes back to life.
absl::StatusOr<WriteResult> ApplyStore(ApplyContext context, PreparedStore& store);

// Leaves a tombstone: the revision without the content, so that a merge knows what was deleted.
absl::StatusOr<WriteResult> ApplyForget(ApplyContext context, const ForgetCommand& forget);

absl::StatusOr<WriteResult> ApplyLink(ApplyContext context, const LinkCommand& link);

// The first entry of a new space's log. REQUIRES: context.space.is_new, nothing else applied yet.
void ApplyCreateSpace(ApplyContext context, const WriteIdentity& identity);

}  // namespace engram::memory
