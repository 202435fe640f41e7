#include "engram/memory/commit_group.h"

#include <fmt/format.h>

#include "engram/base/error.h"
#include "engram/base/planted.h"
#include "engram/memory/apply_log.h"
#include "engram/memory/errors.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using storage::Family;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

Branch BranchOf(const WriteOperation& operation) {
  return std::visit(Overloaded{[](const PreparedStore& store) { return store.command.branch; },
                               [](const auto& command) { return command.branch; }},
                    operation);
}

bool MayCreateSpace(const WriteOperation& operation) {
  const auto* store = std::get_if<PreparedStore>(&operation);
  return store != nullptr && store->command.create_space == CreateSpace::kYes;
}

absl::Status UsedForAnother(const RequestId& id) {
  return InvalidArgument(
      "request_id", fmt::format("request id {} was used for another request; send a new request "
                                "with a new id, and a repetition unchanged",
                                id.ToString()));
}

}  // namespace

CommitGroup::CommitGroup(Stores stores, Options options, WallMillis now)
    : stores_(stores),
      options_(std::move(options)),
      now_(now),
      batch_(stores.database.MakeBatch()) {}

absl::StatusOr<std::optional<WriteResult>> CommitGroup::Remembered(
    const PendingWrite& write) const {
  if (IsPlanted(Bug::kNoRequestIdCheck)) return std::optional<WriteResult>();
  const WriteIdentity& identity = IdentityOf(write.operation);
  auto bytes = batch_->Get(Family::kRequests, RequestKey(SpaceOf(write.operation), identity));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<WriteResult>();
  auto request = DecodeRequest(**bytes);
  if (!request.ok()) return request.status();
  if (request->fingerprint != write.fingerprint) return UsedForAnother(identity.request_id);
  request->result.repeated = true;
  return std::optional<WriteResult>(std::move(request->result));
}

SpaceDraft* CommitGroup::FindDraft(const SpaceId& space) {
  if (auto found = drafts_.find(space.value()); found != drafts_.end()) return &found->second;
  std::shared_ptr<SpaceState> state = stores_.spaces.Find(space.view());
  if (state == nullptr) return nullptr;
  SpaceDraft draft;
  draft.record = state->record();
  draft.tombstones_before = draft.record.tombstones;
  draft.log = state->log();
  draft.state = std::move(state);
  return &drafts_.try_emplace(space.value(), std::move(draft)).first->second;
}

SpaceDraft& CommitGroup::EmptyDraft(const SpaceId& space) {
  SpaceDraft draft;
  draft.is_new = true;
  draft.state = std::make_shared<SpaceState>(space, SpaceRecord(), replication::SpaceLog(),
                                             SpaceState::Stored::kNothing);
  return drafts_.try_emplace(space.value(), std::move(draft)).first->second;
}

absl::StatusOr<SpaceDraft*> CommitGroup::CreateDraft(const SpaceId& space) {
  SpaceDraft& draft = EmptyDraft(space);
  draft.log.holder.Promise(1, options_.node);
  draft.log.holder.TakeOffice(options_.node);
  const ApplyContext context{*batch_, draft};
  const Version position = draft.log.NextPosition();
  const LogEntry entry = MakeAssignment(context, position, now_, {options_.node});
  absl::Status appended = draft.Append(*batch_, position, entry, EncodeLogEntry(entry));
  if (!appended.ok()) return appended;
  return &draft;
}

absl::Status CommitGroup::CheckClock(const SpaceDraft& space) const {
  const std::chrono::milliseconds ahead(ToInt(space.record.clock) - ToInt(now_));
  if (ahead <= options_.clock_ahead_max) return absl::OkStatus();
  return InvalidArgument(
      "clock",
      fmt::format("the newest change of the space '{}' was made {} ms ahead of this "
                  "node's clock, the limit is {} ms: set the clocks of the nodes right, "
                  "or wait until this one has caught up",
                  space.id().view(), ahead.count(),
                  std::chrono::milliseconds(std::chrono::duration_cast<std::chrono::milliseconds>(
                                                options_.clock_ahead_max))
                      .count()));
}

absl::StatusOr<LogPlace> CommitGroup::PlaceOf(const SpaceDraft& space, Branch branch) const {
  const replication::SpaceLog& log = space.log;
  if (InOffice(log, options_.node)) return LogPlace{LogPlace::Where::kMainLog, log.NextPosition()};
  // A branch is one of a log: who has followed nobody yet holds nothing.
  if (branch == Branch::kYes && log.holder.epoch().counter > 0 && !log.incomplete) {
    return LogPlace{LogPlace::Where::kOutbox, log.NextOfBranch(options_.node)};
  }
  return Refused(space.id(), "this node is not primary of the space");
}

absl::StatusOr<WriteResult> CommitGroup::Apply(PendingWrite& write) {
  WriteOperation& operation = write.operation;
  const SpaceId space_id = SpaceOf(operation);
  auto remembered = Remembered(write);
  if (!remembered.ok()) return remembered.status();
  SpaceDraft* space = FindDraft(space_id);
  if (remembered->has_value()) {
    WriteResult& result = **remembered;
    result.branch = space != nullptr && !space->log.logged.Covers(result.version);
    return std::move(result);
  }

  const bool create = space == nullptr;
  if (create) {
    if (!MayCreateSpace(operation)) return NoSuchSpace(space_id);
    auto created = CreateDraft(space_id);
    if (!created.ok()) return created.status();
    space = *created;
  }
  auto place = PlaceOf(*space, BranchOf(operation));
  if (!place.ok()) return place.status();
  absl::Status timely = CheckClock(*space);
  if (!timely.ok()) return timely;
  const WriteContext context{{*batch_, *space}, *place, now_, write.fingerprint, create};
  return std::visit(
      Overloaded{[&](PreparedStore& store) { return ApplyStore(context, store); },
                 [&](const ForgetCommand& forget) { return ApplyForget(context, forget); },
                 [&](const LinkCommand& link) { return ApplyLink(context, link); }},
      operation);
}

absl::Status CommitGroup::Apply(PendingCommand& pending) {
  LogCommand& command = pending.command;
  SpaceDraft* space = FindDraft(command.space);
  if (space == nullptr) space = &EmptyDraft(command.space);
  bool begun = false;
  const LogContext context{{*batch_, *space}, options_.node, now_, begun};
  absl::Status applied =
      std::visit([&](auto& what) { return ApplyCommand(context, what); }, command.what);
  space->changed |= begun;
  if (!applied.ok() && begun) unfit_ = applied;
  return applied;
}

const replication::SpaceLog& CommitGroup::LogOf(const SpaceId& space) const {
  return drafts_.at(space.value()).log;
}

std::vector<std::string> CommitGroup::ChangedKeys() const {
  std::vector<std::string> keys;
  for (const auto& [name, draft] : drafts_) {
    for (const MemoryId& id : draft.touched) keys.push_back(MemoryKey(draft.id(), id));
  }
  return keys;
}

absl::Status CommitGroup::Commit(storage::Sync sync) {
  if (!unfit_.ok()) return unfit_;
  for (auto& [name, draft] : drafts_) {
    if (!draft.changed) continue;
    draft.SetEnds();
    batch_->Put(Family::kCluster, SpaceRecordKey(draft.id()), EncodeSpace(draft.record));
    if (!draft.log_changed) continue;
    batch_->Put(Family::kCluster, SpaceLogKey(draft.id()), EncodeSpaceLog(draft.log, draft.record));
  }
  if (batch_->empty()) return absl::OkStatus();
  const ReplyCache::WriteGuard guard(stores_.replies, ChangedKeys());
  absl::Status written = stores_.database.Write(*batch_, sync);
  if (!written.ok()) return written;
  for (auto& [name, draft] : drafts_) {
    if (!draft.changed) continue;
    draft.state->Publish(draft.record, draft.log, draft.changes);
    if (draft.is_new) stores_.spaces.Insert(draft.state);
  }
  return absl::OkStatus();
}

}  // namespace engram::memory
