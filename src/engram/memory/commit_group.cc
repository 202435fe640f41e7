#include "engram/memory/commit_group.h"

#include <fmt/format.h>

#include "engram/base/error.h"
#include "engram/memory/apply.h"
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

CommitGroup::CommitGroup(Stores stores, NodeId node, WallMillis now)
    : stores_(stores), node_(std::move(node)), now_(now), batch_(stores.database.MakeBatch()) {}

absl::StatusOr<std::optional<WriteResult>> CommitGroup::Remembered(
    const PendingWrite& write) const {
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
  SpaceRecord record = state->record();
  return &drafts_.try_emplace(space.value(), SpaceDraft{std::move(state), false, record, {}})
              .first->second;
}

SpaceDraft& CommitGroup::CreateDraft(const SpaceId& space, const WriteIdentity& identity) {
  SpaceRecord record;
  record.last.epoch = {1, node_};
  SpaceDraft draft{
      std::make_shared<SpaceState>(space, record, SpaceState::Stored::kNothing), true, record, {}};
  ApplyCreateSpace({*batch_, draft, now_}, identity);
  return drafts_.try_emplace(space.value(), std::move(draft)).first->second;
}

absl::StatusOr<WriteResult> CommitGroup::ApplyIn(SpaceDraft& space, WriteOperation& operation) {
  const ApplyContext context{*batch_, space, now_};
  return std::visit(
      Overloaded{[&](PreparedStore& store) { return ApplyStore(context, store); },
                 [&](const ForgetCommand& forget) { return ApplyForget(context, forget); },
                 [&](const LinkCommand& link) { return ApplyLink(context, link); }},
      operation);
}

absl::StatusOr<WriteResult> CommitGroup::Apply(PendingWrite& write) {
  WriteOperation& operation = write.operation;
  const SpaceId space_id = SpaceOf(operation);
  const WriteIdentity identity = IdentityOf(operation);
  auto remembered = Remembered(write);
  if (!remembered.ok()) return remembered.status();
  if (remembered->has_value()) return **std::move(remembered);

  SpaceDraft* space = FindDraft(space_id);
  const bool create = space == nullptr;
  if (create && !MayCreateSpace(operation)) return NoSuchSpace(space_id);
  if (create) space = &CreateDraft(space_id, identity);
  auto result = ApplyIn(*space, operation);
  if (!result.ok()) return result;
  result->space_created = create;
  batch_->Put(Family::kRequests, RequestKey(space_id, identity),
              EncodeRequest({*result, write.fingerprint}));
  return result;
}

// Every write of a memory, of its links or of its embedding is a change of the index.
std::vector<std::string> CommitGroup::ChangedKeys() const {
  std::vector<std::string> keys;
  for (const auto& [name, draft] : drafts_) {
    for (const IndexChange& change : draft.changes) {
      keys.push_back(MemoryKey(draft.id(), change.id));
    }
  }
  return keys;
}

absl::Status CommitGroup::Commit(storage::Sync sync) {
  if (batch_->empty()) return absl::OkStatus();
  for (const auto& [name, draft] : drafts_) {
    batch_->Put(Family::kCluster, SpaceRecordKey(draft.id()), EncodeSpace(draft.record));
  }
  const ReplyCache::WriteGuard guard(stores_.replies, ChangedKeys());
  absl::Status written = stores_.database.Write(*batch_, sync);
  if (!written.ok()) return written;
  for (auto& [name, draft] : drafts_) {
    draft.state->Publish(draft.record, draft.changes);
    if (draft.is_new) stores_.spaces.Insert(draft.state);
  }
  return absl::OkStatus();
}

}  // namespace engram::memory
