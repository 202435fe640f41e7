// How changes get into a space. There is one way: a write of a client becomes a log entry, and
// ApplyEntry puts the effects of an entry into the space, wherever the entry comes from: this
// node's client, the primary's log, another holder's outbox.
//
// For the commit thread only.
#pragma once

#include "absl/status/statusor.h"
#include "engram/memory/memory_draft.h"
#include "engram/memory/pending_write.h"
#include "engram/memory/space_draft.h"
#include "engram/storage/database.h"

namespace engram::memory {

using ApplyContext = MemoryDraft::Stores;

// Where a client's write is logged.
struct LogPlace {
  enum class Where : uint8_t { kMainLog, kOutbox };
  Where where = Where::kMainLog;
  Version origin;
};

struct WriteContext {
  ApplyContext apply;
  LogPlace place;
  WallMillis now;
  uint64_t fingerprint = 0;
  bool space_created = false;
};

// --- writes of clients: each reads through the batch, decides, and adds all of its effects
// (memory, log entry, remembered request) to the batch and the draft. An error leaves both
// untouched.

// A store replaces the memory wholly: content, tags, metadata, embedding and links are the
// command's, also where those are empty. Only occurred_at, confidence and kind stay as they were
// when the command leaves them out. The new revision has seen all that is there, so siblings go; a
// forgotten memory comes back to life.
absl::StatusOr<WriteResult> ApplyStore(const WriteContext& context, PreparedStore& store);

// Leaves a tombstone: the revision without the content, so that a merge knows what was deleted.
absl::StatusOr<WriteResult> ApplyForget(const WriteContext& context, const ForgetCommand& forget);

absl::StatusOr<WriteResult> ApplyLink(const WriteContext& context, const LinkCommand& link);

// --- entries

// Puts the effect of the entry into the space: memory, clock, dimension. An assignment has none.
// `text`: of its content, if that was analysed already. An error leaves everything untouched, but
// for an entry that collects tombstones.
[[nodiscard]] absl::Status ApplyEntry(ApplyContext context, const LogEntry& entry,
                                      AnalyzedText* text);
// The same on a memory that was read already.
[[nodiscard]] absl::Status ApplyEntryTo(MemoryDraft& memory, ApplyContext context,
                                        const LogEntry& entry, AnalyzedText* text);

// What a repetition of the request gets. Nothing for an entry that is a duplicate, or of no
// request.
void RememberRequest(ApplyContext context, const LogEntry& entry);

// An entry by which all holders drop these tombstones, at that place of the log.
LogEntry MakeCollection(ApplyContext context, const Version& position, WallMillis now,
                        std::vector<replication::Tombstone> tombstones);

// An entry that makes `holders` the space's, at that place of the log.
LogEntry MakeAssignment(ApplyContext context, const Version& position, WallMillis now,
                        std::vector<NodeId> holders);

}  // namespace engram::memory
