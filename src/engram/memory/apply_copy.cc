// Taking over another holder's copy, piece by piece.
#include <map>

#include "engram/memory/apply_log.h"
#include "engram/memory/copy_piece.h"
#include "engram/memory/errors.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using replication::SpaceLog;
using storage::Family;

// Whether the holder follows the primary of the epoch, in step or about to be.
absl::Status CheckFollows(const LogContext& context, const Epoch& epoch) {
  const SpaceLog& log = context.apply.space.log;
  const bool follows = epoch == log.holder.epoch() && log.holder.Accepts(epoch);
  if (follows && epoch.primary != context.self) return absl::OkStatus();
  return Refused(context.apply.space.id(),
                 "the copy is of an epoch that this node does not follow");
}

// The dimension and the clock are decided by changes whose entries will not come.
void AdoptTotals(SpaceDraft& space, const SpaceRecord& totals) {
  auto rank = [](const Revision& revision) {
    return std::tie(revision.clock, revision.clock_counter, revision.version);
  };
  SpaceRecord& own = space.record;
  const bool earlier = own.dimension == 0 || rank(totals.dimension_by) < rank(own.dimension_by);
  if (totals.dimension != 0 && earlier) {
    own.dimension = totals.dimension;
    own.dimension_by = totals.dimension_by;
  }
  Revision clock;
  clock.clock = totals.clock;
  clock.clock_counter = totals.clock_counter;
  space.FollowClock(clock);
}

// What waits in the outbox keeps its effect; of everything else, the primary knows better.
bool Waits(const Version& origin, const SpaceLog& log, const VersionVector& theirs) {
  return log.outbox.Covers(origin) && !theirs.Covers(origin);
}

MemoryState OwnChanges(const MemoryState& own, const SpaceLog& log, const VersionVector& theirs) {
  auto waits = [&](const Version& origin) { return Waits(origin, log, theirs); };
  MemoryState kept;
  for (const RevisionRecord& revision : own.revisions) {
    if (waits(revision.origin())) kept.revisions.push_back(revision);
  }
  for (const LinkRecord& link : own.links) {
    if (waits(link.origin)) kept.links.push_back(link);
  }
  return kept;
}

absl::Status InstallMemory(const LogContext& context, const MemoryId& id, std::string_view theirs,
                           const VersionVector& logged) {
  const SpaceDraft& space = context.apply.space;
  auto own = ReadMemoryItem(SourceOf(context.apply.batch), space.id(), id);
  if (!own.ok()) return own.status();
  if (*own == theirs) return absl::OkStatus();
  MemoryState states[2];
  size_t i = 0;
  for (std::string_view bytes : {std::string_view(*own), theirs}) {
    if (!bytes.empty()) {
      auto item = DecodeItem(bytes);
      if (!item.ok()) return item.status();
      states[i] = std::get<MemoryItem>(*std::move(item)).state;
    }
    ++i;
  }
  auto draft = MemoryDraft::Read(context.apply, id);
  if (!draft.ok()) return draft.status();
  context.begun = true;
  return draft->Replace(Merge(OwnChanges(states[0], space.log, logged), {}, states[1], {}));
}

// A request whose change is not there any more must not be answered as if it were.
absl::Status DropRequests(const LogContext& context, const std::vector<RequestItem>& own,
                          const VersionVector& theirs) {
  const ApplyContext& apply = context.apply;
  for (const RequestItem& item : own) {
    auto request = DecodeRequest(item.value);
    if (!request.ok()) return request.status();
    if (Waits(request->result.version, apply.space.log, theirs)) continue;
    context.begun = true;
    apply.batch.Delete(Family::kRequests, SpacePrefix(apply.space.id().view()) + item.key);
  }
  return absl::OkStatus();
}

// Said by a primary, too, of its own log.
absl::Status Settle(const LogContext& context, const Epoch& epoch) {
  SpaceDraft& space = context.apply.space;
  // Who asks for it may not have heard yet that the log was restarted.
  if (space.log.incomplete) return Refused(space.id(), "the copy here is incomplete");
  if (epoch != space.log.holder.epoch() || !space.log.holder.Accepts(epoch)) {
    return Refused(space.id(), "the epoch is not that of this node's log");
  }
  context.begun = true;
  space.log.base = {};
  space.log_changed = true;
  return DropMerged(context);
}

}  // namespace

void ForgetLog(const LogContext& context) {
  SpaceDraft& space = context.apply.space;
  std::vector<std::string> keys;
  auto cursor = context.apply.batch.Scan(Family::kLog, SpacePrefix(space.id().view()));
  for (; cursor->valid(); cursor->Next()) keys.emplace_back(cursor->key());
  cursor.reset();
  for (const std::string& key : keys) context.apply.batch.Delete(Family::kLog, key);
  space.log.BecomeIncomplete();
  space.log.history = {};
  space.log.logged = {};
  space.log.assignment = {};
  space.log.base = {};
}

absl::Status ApplyCommand(const LogContext& context, const RestartCommand& restart) {
  if (absl::Status follows = CheckFollows(context, restart.epoch); !follows.ok()) return follows;
  SpaceDraft& space = context.apply.space;
  const replication::LogBase& base = restart.base;
  context.begun = true;
  space.log.BecomeIncomplete();
  space.log.history = base.history;
  space.log.logged = base.logged;
  space.log.base = base.history.last();
  space.log.holders = base.holders;
  space.log.assignment = base.assignment;
  space.log_changed = true;
  AdoptTotals(space, restart.totals);
  return absl::OkStatus();
}

absl::Status ApplyCommand(const LogContext& context, InstallCommand& install) {
  if (absl::Status follows = CheckFollows(context, install.epoch); !follows.ok()) return follows;
  const ApplyContext& apply = context.apply;
  auto there = ListRange(SourceOf(apply.batch), apply.space.id(), install.piece);
  if (!there.ok()) return there.status();
  absl::Status dropped = DropRequests(context, there->requests, install.piece.logged);
  if (!dropped.ok()) return dropped;
  std::map<MemoryId, std::string_view> memories;
  for (const MemoryId& id : there->memories) memories.emplace(id, "");
  for (const auto& [id, bytes] : install.memories) memories.insert_or_assign(id, bytes);
  for (const auto& [id, bytes] : memories) {
    absl::Status installed = InstallMemory(context, id, bytes, install.piece.logged);
    if (!installed.ok()) return installed;
  }
  for (const RequestItem& request : install.requests) {
    context.begun = true;
    apply.batch.Put(Family::kRequests, SpacePrefix(apply.space.id().view()) + request.key,
                    request.value);
  }
  return absl::OkStatus();
}

absl::Status ApplyCommand(const LogContext& context, const CompleteCommand& complete) {
  if (complete.settled) return Settle(context, complete.epoch);
  if (absl::Status follows = CheckFollows(context, complete.epoch); !follows.ok()) return follows;
  context.begun = true;
  context.apply.space.log.BecomeComplete();
  context.apply.space.log_changed = true;
  return absl::OkStatus();
}

}  // namespace engram::memory
