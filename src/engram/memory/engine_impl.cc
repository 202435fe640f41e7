#include "engram/memory/engine_impl.h"

#include "engram/base/names.h"
#include "engram/memory/errors.h"
#include "engram/memory/fingerprint.h"
#include "engram/memory/keys.h"
#include "engram/memory/memory_reader.h"

namespace engram::memory {
namespace {

CommitQueueOptions QueueOptions(const EngineOptions& options) {
  return {
      .sync = options.durability == Durability::kFsync ? storage::Sync::kYes : storage::Sync::kNo,
      .writes_max = options.queue_max,
      .bytes_max = options.queue_bytes_max};
}

SpaceSummary Summarize(const SpaceState& space) {
  const SpaceRecord record = space.record();
  return {space.id(), record.last, record.assignment, record.memories, record.dimension};
}

}  // namespace

EngineImpl::EngineImpl(EngineOptions options, std::unique_ptr<storage::Database> database)
    : options_(std::move(options)),
      database_(std::move(database)),
      replies_(options_.reply_cache_bytes),
      housekeeper_(*database_, {options_.request_id_ttl, options_.log_entries_max}),
      keeper_(*database_, options_.exact_vectors_max),
      queue_(
          QueueOptions(options_),
          [this] {
            return CommitGroup({*database_, spaces_, replies_}, options_.node_id,
                               options_.wall_clock());
          },
          [this](const CommitGroup& group) { Committed(group); }) {}

absl::Status EngineImpl::LoadSpaces() {
  auto cursor = database_->Scan(storage::Family::kCluster, kSpaceRecordPrefix);
  for (; cursor->valid(); cursor->Next()) {
    auto record = DecodeSpace(cursor->value());
    if (!record.ok()) return record.status();
    const SpaceId id(cursor->key().substr(kSpaceRecordPrefix.size()));
    auto space = std::make_shared<SpaceState>(id, *record, SpaceState::Stored::kSomething);
    spaces_.Insert(space);
    if (record->vectors > options_.exact_vectors_max) keeper_.Visit(std::move(space));
  }
  return cursor->status();
}

void EngineImpl::Committed(const CommitGroup& group) {
  for (const auto& [name, draft] : group.drafts()) {
    housekeeper_.Tidy(draft.id(), draft.record, options_.wall_clock());
    if (draft.state->NeedsCare(options_.exact_vectors_max)) keeper_.Visit(draft.state);
  }
}

void EngineImpl::Submit(WriteOperation operation, Done done, size_t bytes) {
  const uint64_t fingerprint = FingerprintOf(operation);
  queue_.Submit({std::move(operation), std::move(done), bytes, fingerprint});
}

void EngineImpl::Store(StoreCommand command, Done done) {
  absl::Status taken = queue_.CheckRoom();
  if (taken.ok()) taken = ValidateStore(command, Window());
  if (!taken.ok()) return done(std::move(taken));
  const size_t bytes = BytesOf(command);
  AnalyzedText text = Analyze(command.content);
  Submit(PreparedStore{std::move(command), std::move(text)}, std::move(done), bytes);
}

void EngineImpl::Forget(ForgetCommand command, Done done) {
  absl::Status valid = ValidateForget(command, Window());
  if (!valid.ok()) return done(std::move(valid));
  Submit(std::move(command), std::move(done), sizeof(command));
}

void EngineImpl::Link(LinkCommand command, Done done) {
  absl::Status valid = ValidateLink(command, Window());
  if (!valid.ok()) return done(std::move(valid));
  Submit(std::move(command), std::move(done), sizeof(command));
}

absl::StatusOr<Memory> EngineImpl::Get(const SpaceId& space, const MemoryId& id) const {
  absl::Status valid = CheckSpaceName("space", space.view());
  if (valid.ok()) valid = CheckMemoryId("id", id.view());
  if (!valid.ok()) return valid;
  if (spaces_.Find(space.view()) == nullptr) return NoSuchSpace(space);
  auto memory = ReadMemory(*database_, space, id, WithEmbedding::kYes);
  if (!memory.ok()) return memory.status();
  if (!memory->has_value()) return NoSuchMemory(space, id);
  return **std::move(memory);
}

absl::StatusOr<std::shared_ptr<const std::string>> EngineImpl::GetEncoded(
    const SpaceId& space, const MemoryId& id) const {
  const std::string key = MemoryKey(space, id);
  ReplyCache::Lookup lookup = replies_.Find(key);
  if (lookup.found != nullptr) return std::move(lookup.found);
  auto memory = Get(space, id);
  if (!memory.ok()) return memory.status();
  auto bytes = std::make_shared<const std::string>(options_.encode(*std::move(memory)));
  replies_.Keep(key, lookup.ticket, bytes);
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

std::optional<SpaceSummary> EngineImpl::FindSpace(std::string_view space) const {
  std::shared_ptr<SpaceState> found = spaces_.Find(space);
  if (found == nullptr) return std::nullopt;
  return Summarize(*found);
}

std::vector<SpaceSummary> EngineImpl::ListSpaces() const {
  std::vector<SpaceSummary> summaries;
  for (const auto& space : spaces_.List()) summaries.push_back(Summarize(*space));
  return summaries;
}

}  // namespace engram::memory
