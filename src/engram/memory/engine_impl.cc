#include "engram/memory/engine_impl.h"

#include <fmt/format.h>

#include "engram/base/names.h"
#include "engram/memory/errors.h"
#include "engram/memory/keys.h"
#include "engram/memory/memory_reader.h"

namespace engram::memory {
namespace {

CommitQueueOptions QueueOptions(const EngineOptions& options) {
  return {.writes_max = options.queue_max, .bytes_max = options.queue_bytes_max};
}

LocalStoreOptions StoreOptions(const EngineOptions& options) {
  LocalStoreOptions store;
  store.node = options.node_id;
  store.sync = options.durability == Durability::kFsync ? storage::Sync::kYes : storage::Sync::kNo;
  store.clock_ahead_max = options.clock_ahead_max;
  store.housekeeping = {options.request_id_ttl, options.log_entries_max};
  store.reply_cache_bytes = options.reply_cache_bytes;
  return store;
}

LocalStoreOptions With(LocalStoreOptions options,
                       absl::AnyInvocable<void(const CommitGroup&)> committed,
                       absl::AnyInvocable<void()> failed) {
  options.committed = std::move(committed);
  options.failed = std::move(failed);
  return options;
}

SpaceSummary Summarize(const SpaceState& space) {
  const SpaceRecord record = space.record();
  return {space.id(),      record.last,     record.assignment,
          record.memories, record.siblings, record.dimension};
}

absl::Status IncompleteCopy(const SpaceId& space) {
  ErrorDetail detail;
  detail.code = ErrorCode::kNoLocalData;
  detail.space = space.value();
  return MakeError(detail,
                   fmt::format("the copy of space '{}' here is not complete yet", space.view()));
}

}  // namespace

EngineImpl::EngineImpl(EngineOptions options, std::unique_ptr<storage::Database> database)
    : options_(std::move(options)),
      database_(std::move(database)),
      store_(*database_,
             With(
                 StoreOptions(options_), [this](const CommitGroup& group) { Committed(group); },
                 std::move(options_.on_failed))),
      keeper_(*database_, options_.exact_vectors_max),
      queue_(QueueOptions(options_),
             [this](std::vector<Pending> group) {
               store_.Commit(std::move(group), options_.wall_clock());
             }),
      log_(*database_, store_,
           [this](PendingCommand command) { queue_.Submit(std::move(command)); }) {}

absl::Status EngineImpl::LoadSpaces() {
  if (absl::Status loaded = store_.Load(); !loaded.ok()) return loaded;
  for (const auto& space : store_.spaces().List()) {
    if (space->record().vectors > options_.exact_vectors_max) keeper_.Visit(space);
  }
  return absl::OkStatus();
}

void EngineImpl::Committed(const CommitGroup& group) {
  std::vector<SpaceId> changed;
  for (const auto& [name, draft] : group.drafts()) {
    if (!draft.changed) continue;
    changed.push_back(draft.id());
    if (draft.state->NeedsCare(options_.exact_vectors_max)) keeper_.Visit(draft.state);
  }
  if (options_.on_committed != nullptr && !changed.empty()) options_.on_committed(changed);
}

void EngineImpl::Store(StoreCommand command, Done done) {
  absl::Status taken = queue_.CheckRoom();
  if (taken.ok()) taken = ValidateStore(command, Window());
  if (!taken.ok()) return done(std::move(taken));
  queue_.Submit(Prepare(std::move(command), std::move(done)));
}

void EngineImpl::Forget(ForgetCommand command, Done done) {
  absl::Status valid = ValidateForget(command, Window());
  if (!valid.ok()) return done(std::move(valid));
  queue_.Submit(Prepare(std::move(command), std::move(done)));
}

void EngineImpl::Link(LinkCommand command, Done done) {
  absl::Status valid = ValidateLink(command, Window());
  if (!valid.ok()) return done(std::move(valid));
  queue_.Submit(Prepare(std::move(command), std::move(done)));
}

std::shared_ptr<SpaceState> EngineImpl::FindReadable(std::string_view space) const {
  std::shared_ptr<SpaceState> found = store_.spaces().Find(space);
  if (found != nullptr && !found->HasChanges()) return nullptr;
  return found;
}

absl::StatusOr<Memory> EngineImpl::Get(const SpaceId& space, const MemoryId& id) const {
  absl::Status valid = CheckSpaceName("space", space.view());
  if (valid.ok()) valid = CheckMemoryId("id", id.view());
  if (!valid.ok()) return valid;
  if (FindReadable(space.view()) == nullptr) return NoSuchSpace(space);
  auto memory = ReadMemory(*database_, space, id, WithEmbedding::kYes);
  if (!memory.ok()) return memory.status();
  if (!memory->has_value()) return NoSuchMemory(space, id);
  return **std::move(memory);
}

absl::StatusOr<std::shared_ptr<const std::string>> EngineImpl::GetEncoded(
    const SpaceId& space, const MemoryId& id) const {
  const std::string key = MemoryKey(space, id);
  ReplyCache::Lookup lookup = store_.replies().Find(key);
  if (lookup.found != nullptr) return std::move(lookup.found);
  auto memory = Get(space, id);
  if (!memory.ok()) return memory.status();
  auto bytes = std::make_shared<const std::string>(options_.encode(*std::move(memory)));
  store_.replies().Keep(key, lookup.ticket, bytes);
  return bytes;
}

absl::StatusOr<RecallResult> EngineImpl::Recall(const RecallQuery& query) const {
  absl::Status valid = ValidateRecall(query);
  if (!valid.ok()) return valid;
  auto space = Searchable(query.space, query.embedding.size());
  if (!space.ok()) return space.status();
  const RankingQuery ranking(query);
  std::vector<RankedMemory> ranked;
  (*space)->Read([&](const SpaceIndex& index) { ranked = Rank(index, ranking); });
  return ReadHits(query, std::move(ranked));
}

absl::StatusOr<RecallResult> EngineImpl::ReadHits(const RecallQuery& query,
                                                  std::vector<RankedMemory> ranked) const {
  RecallResult result;
  for (RankedMemory& found : ranked) {
    if (result.hits.size() == query.limit) break;
    auto memory = ReadMemory(*database_, query.space, found.id, WithEmbedding::kNo);
    if (!memory.ok()) return memory.status();
    // It may have been forgotten or changed since it was ranked.
    if (!memory->has_value() || !Passes(query, **memory)) continue;
    const double confidence = (*memory)->confidence * found.match;
    if (confidence < query.min_confidence) continue;
    RecallHit& hit = result.hits.emplace_back();
    hit.memory = **std::move(memory);
    hit.score = found.score;
    hit.confidence = confidence;
    hit.why = std::move(found.why);
  }
  return result;
}

absl::StatusOr<ConsolidationPlan> EngineImpl::PlanConsolidation(
    const ConsolidationQuery& query) const {
  absl::Status valid = ValidateConsolidation(query);
  if (!valid.ok()) return valid;
  const std::shared_ptr<SpaceState> space = FindReadable(query.space.view());
  if (space == nullptr) return NoSuchSpace(query.space);
  // Of a part of the episodes, it would take from their memories what the others have said. Looked
  // at on both sides: the copy may come, or be found to lack something, meanwhile.
  if (space->log().incomplete) return IncompleteCopy(query.space);
  auto plan = memory::PlanConsolidation(*database_, query, space->record().dimension);
  if (space->log().incomplete) return IncompleteCopy(query.space);
  return plan;
}

std::optional<SpaceSummary> EngineImpl::FindSpace(std::string_view space) const {
  std::shared_ptr<SpaceState> found = FindReadable(space);
  if (found == nullptr) return std::nullopt;
  return Summarize(*found);
}

std::vector<SpaceSummary> EngineImpl::ListSpaces() const {
  std::vector<SpaceSummary> summaries;
  for (const auto& space : store_.spaces().List()) {
    if (space->HasChanges()) summaries.push_back(Summarize(*space));
  }
  return summaries;
}

absl::StatusOr<SpaceDigest> EngineImpl::Digest(const SpaceId& space) const {
  if (FindReadable(space.view()) == nullptr) return NoSuchSpace(space);
  return store_.Digest(space);
}

}  // namespace engram::memory
