#include "engram/memory/local_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "engram/base/error.h"
#include "engram/base/planted.h"
#include "engram/memory/keys.h"
#include "engram/memory/space_digest.h"

namespace engram::memory {
namespace {

using storage::Family;

absl::Status Undetermined(const absl::Status& cause) {
  return MakeError(
      ErrorCode::kUndetermined,
      fmt::format("the disk refused the write, which may yet be there after a restart: {}",
                  std::string(cause.message())));
}

absl::Status ReadOnly(const absl::Status& cause) {
  return MakeError(ErrorCode::kStorageFailed,
                   fmt::format("an earlier write failed, so this node takes no more until it is "
                               "restarted; reads go on. The failure was: {}",
                               std::string(cause.message())));
}

// What came of one of a group.
using Outcome = std::variant<absl::StatusOr<WriteResult>, absl::Status>;

Outcome Apply(CommitGroup& group, Pending& pending) {
  if (auto* write = std::get_if<PendingWrite>(&pending)) return group.Apply(*write);
  return group.Apply(std::get<PendingCommand>(pending));
}

void Tell(Pending& pending, Outcome outcome, const CommitGroup& group) {
  if (auto* write = std::get_if<PendingWrite>(&pending)) {
    return write->done(std::get<absl::StatusOr<WriteResult>>(std::move(outcome)));
  }
  auto& command = std::get<PendingCommand>(pending);
  auto& status = std::get<absl::Status>(outcome);
  if (!status.ok()) return command.done(std::move(status));
  command.done(group.LogOf(command.command.space));
}

// Leaves nobody who waits.
void TellAll(std::vector<Pending>& pending, std::vector<Outcome>& outcomes,
             const CommitGroup& group) {
  for (size_t i = 0; i < pending.size(); ++i) Tell(pending[i], std::move(outcomes[i]), group);
  pending.clear();
}

void Fail(Pending& pending, const absl::Status& status) {
  std::visit([&](auto& waiting) { waiting.done(status); }, pending);
}

absl::StatusOr<replication::SpaceLog> ReadSpaceLog(const storage::Database& database,
                                                   const SpaceId& space, const SpaceRecord& record,
                                                   const NodeId& self) {
  auto bytes = database.Get(Family::kCluster, SpaceLogKey(space));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return SpaceLogOf(record, self);
  return DecodeSpaceLog(**bytes, record);
}

}  // namespace

LocalStore::LocalStore(storage::Database& database, LocalStoreOptions options)
    : database_(database),
      options_(std::move(options)),
      replies_(options_.reply_cache_bytes),
      housekeeper_(database_, options_.node, options_.housekeeping) {}

absl::Status LocalStore::Load() {
  auto cursor = database_.Scan(Family::kCluster, kSpaceRecordPrefix);
  for (; cursor->valid(); cursor->Next()) {
    auto record = DecodeSpace(cursor->value());
    if (!record.ok()) return record.status();
    const SpaceId id(cursor->key().substr(kSpaceRecordPrefix.size()));
    auto log = ReadSpaceLog(database_, id, *record, options_.node);
    if (!log.ok()) return log.status();
    tombstones_ += record->tombstones;
    spaces_.Insert(
        std::make_shared<SpaceState>(id, *record, *std::move(log), SpaceState::Stored::kSomething));
  }
  return cursor->status();
}

void LocalStore::Commit(std::vector<Pending> pending, WallMillis now) {
  if (!failed_.ok()) {
    for (Pending& one : pending) Fail(one, ReadOnly(failed_));
    return;
  }
  CommitGroup group({database_, spaces_, replies_}, {options_.node, options_.clock_ahead_max}, now);
  std::vector<Outcome> outcomes;
  outcomes.reserve(pending.size());
  for (Pending& one : pending) outcomes.push_back(Apply(group, one));
  if (IsPlanted(Bug::kAckBeforeCommit)) TellAll(pending, outcomes, group);
  failed_ = group.Commit(IsPlanted(Bug::kAckBeforeSync) ? storage::Sync::kNo : options_.sync);
  if (!failed_.ok()) {
    if (options_.failed != nullptr) options_.failed();
    // Nothing was applied in memory, but the log may have the batch and bring it back at the next
    // start: neither done nor failed.
    for (Pending& one : pending) Fail(one, Undetermined(failed_));
    return;
  }
  for (const auto& [name, draft] : group.drafts()) {
    tombstones_ += draft.record.tombstones - draft.tombstones_before;
    collected_ += draft.collected;
    if (draft.changed) housekeeper_.Tidy(draft.id(), draft.log, now);
  }
  if (options_.committed != nullptr) options_.committed(group);
  TellAll(pending, outcomes, group);
}

// Requests that no holder has dropped yet: they go when they are older than their time to live, and
// the space's clock, which is equal in equal copies, is not ahead of when that was last looked at.
absl::StatusOr<SpaceDigest> LocalStore::Digest(const SpaceId& space) const {
  using std::chrono::milliseconds;
  const auto kept =
      std::chrono::duration_cast<milliseconds>(options_.housekeeping.request_id_ttl / 2);
  const WallMillis clock = spaces_.Find(space.view())->record().clock;
  return DigestOf(database_, space, WallMillis{std::max<int64_t>(0, ToInt(clock) - kept.count())});
}

}  // namespace engram::memory
