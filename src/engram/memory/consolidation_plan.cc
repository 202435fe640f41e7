#include "engram/memory/consolidation_plan.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "engram/base/error.h"
#include "engram/memory/keys.h"
#include "engram/memory/memory_reader.h"
#include "engram/memory/pending_write.h"
#include "engram/memory/records.h"
#include "engram/memory/state_tag.h"

namespace engram::memory {
namespace {

using storage::Database;
using storage::Family;
using Outcome = ConsolidationStep::Outcome;

constexpr uint64_t kLookEvery = 64;  // episodes between two looks at the time

class Planner {
 public:
  Planner(const Database& database, const ConsolidationQuery& query, uint32_t dimension)
      : database_(database), query_(query), dimension_(dimension), duplicates_(query.similarity) {}

  absl::StatusOr<ConsolidationPlan> Plan() {
    if (absl::Status scanned = Scan(); !scanned.ok()) return scanned;
    const std::vector<MergeTask> tasks = AssignMergers(duplicates_.Take(), mergers_);
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (written_ >= query_.write_bytes_max || Stopped()) {
        plan_.remaining = tasks.size() - i;
        break;
      }
      if (absl::Status planned = PlanTask(tasks[i]); !planned.ok()) return planned;
    }
    return std::move(plan_);
  }

 private:
  bool Stopped() const { return query_.stop != nullptr && query_.stop(); }

  absl::Status Scan();
  absl::Status AddEpisode(const MemoryId& id, const Memory& memory, bool has_embedding);
  absl::Status AddMerger(const MemoryId& id);
  // Without an embedding of another dimension than the space's.
  absl::StatusOr<std::optional<Memory>> Read(const MemoryId& id) const;
  absl::StatusOr<std::vector<Memory>> ReadSources(const DuplicateGroup& group) const;
  absl::StatusOr<Version> LastRevisionOf(const MemoryId& id) const;
  absl::StatusOr<std::vector<Link>> OtherLinks(const Memory& merger, const MergeTask& task) const;
  absl::Status PlanTask(const MergeTask& task);
  absl::Status PlanForget(const MemoryId& superseded, ConsolidationStep& step);
  absl::Status PlanWrites(const MergeTask& task, const std::optional<Memory>& present,
                          std::span<const Memory> sources, ConsolidationStep& step);

  const Database& database_;
  const ConsolidationQuery& query_;
  const uint32_t dimension_;
  NearDuplicates duplicates_;
  std::vector<Merger> mergers_;
  ConsolidationPlan plan_;
  size_t written_ = 0;
};

absl::Status Planner::Scan() {
  const std::string prefix = SpacePrefix(query_.space.view());
  auto cursor = database_.Scan(Family::kMemories, prefix);
  for (uint64_t count = 0; cursor->valid(); cursor->Next(), ++count) {
    if (count % kLookEvery == 0 && Stopped()) {
      return MakeError(ErrorCode::kDeadlineExceeded,
                       "the time was over before the episodes of the space had been compared; "
                       "ask again with more time");
    }
    auto record = DecodeMemory(cursor->value());
    if (!record.ok()) return record.status();
    if (record->revisions.empty() || !record->revisions.front().alive) continue;
    const RevisionRecord& shown = record->revisions.front();
    const MemoryId id(cursor->key().substr(prefix.size()));
    absl::Status added;
    if (shown.memory.kind == Kind::kEpisodic) {
      added = AddEpisode(id, shown.memory, shown.has_embedding);
    } else if (IsMerger(shown.memory)) {
      added = AddMerger(id);
    }
    if (!added.ok()) return added;
  }
  return cursor->status();
}

absl::Status Planner::AddEpisode(const MemoryId& id, const Memory& memory, bool has_embedding) {
  if (duplicates_.bytes() >= query_.memory_bytes_max) {
    ++plan_.skipped;
    return absl::OkStatus();
  }
  std::vector<float> embedding;
  if (has_embedding) {
    auto bytes = database_.Get(Family::kVectors, MemoryKey(query_.space, id));
    if (!bytes.ok()) return bytes.status();
    auto decoded = DecodeEmbedding(bytes->value_or(""));
    if (!decoded.ok()) return decoded.status();
    if (decoded->size() == dimension_) embedding = *std::move(decoded);
  }
  duplicates_.Add({id, memory.content, embedding});
  ++plan_.episodes;
  return absl::OkStatus();
}

absl::Status Planner::AddMerger(const MemoryId& id) {
  auto memory = ReadMemory(database_, query_.space, id, WithEmbedding::kYes);
  if (!memory.ok()) return memory.status();
  if (!memory->has_value()) return absl::OkStatus();
  Merger merger{id, {}, IsUnchangedMerger(**memory)};
  for (Link& link : (*memory)->links) merger.sources.push_back(std::move(link.to));
  mergers_.push_back(std::move(merger));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Memory>> Planner::Read(const MemoryId& id) const {
  auto memory = ReadMemory(database_, query_.space, id, WithEmbedding::kYes);
  if (memory.ok() && memory->has_value() && (*memory)->embedding.size() != dimension_) {
    (*memory)->embedding.clear();
  }
  return memory;
}

// Those that are episodes still.
absl::StatusOr<std::vector<Memory>> Planner::ReadSources(const DuplicateGroup& group) const {
  std::vector<Memory> sources;
  for (const GroupMember& member : group) {
    auto memory = Read(member.id);
    if (!memory.ok()) return memory.status();
    if (!memory->has_value() || (*memory)->kind != Kind::kEpisodic) continue;
    sources.push_back(**std::move(memory));
  }
  return sources;
}

// Also of one that was forgotten.
absl::StatusOr<Version> Planner::LastRevisionOf(const MemoryId& id) const {
  auto bytes = database_.Get(Family::kMemories, MemoryKey(query_.space, id));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return Version{};
  auto record = DecodeMemory(**bytes);
  if (!record.ok()) return record.status();
  return record->revisions.empty() ? Version{} : record->revisions.front().origin();
}

// What others have linked it to. Links to episodes are its own, of sources that are none any more.
absl::StatusOr<std::vector<Link>> Planner::OtherLinks(const Memory& merger,
                                                      const MergeTask& task) const {
  std::vector<Link> others;
  for (const Link& link : merger.links) {
    auto is_target = [&](const GroupMember& member) { return member.id == link.to; };
    if (std::any_of(task.group.begin(), task.group.end(), is_target)) continue;
    auto target = ReadMemory(database_, query_.space, link.to, WithEmbedding::kNo);
    if (!target.ok()) return target.status();
    if (target->has_value() && (*target)->kind == Kind::kSemantic) others.push_back(link);
  }
  return others;
}

absl::Status Planner::PlanTask(const MergeTask& task) {
  auto sources = ReadSources(task.group);
  if (!sources.ok()) return sources.status();
  if (sources->size() < 2) return absl::OkStatus();  // forgotten meanwhile
  // Before the memory itself: what is changed in between is not planned on, and refuses the write.
  auto tag = ReadStateTag(database_, query_.space, task.id);
  if (!tag.ok()) return tag.status();
  auto present = ReadMemory(database_, query_.space, task.id, WithEmbedding::kYes);
  if (!present.ok()) return present.status();
  ConsolidationStep step;
  step.id = task.id;
  step.sources = task.group;
  if (task.taken_over || (present->has_value() && !IsUnchangedMerger(**present))) {
    step.outcome = Outcome::kTakenOver;
  } else {
    absl::Status planned = PlanWrites(task, *present, *sources, step);
    if (!planned.ok()) return planned;
  }
  if (step.store.has_value()) step.store->if_state = *tag;
  plan_.steps.push_back(std::move(step));
  return absl::OkStatus();
}

// Unless somebody has changed it since the space was read.
absl::Status Planner::PlanForget(const MemoryId& superseded, ConsolidationStep& step) {
  auto tag = ReadStateTag(database_, query_.space, superseded);
  if (!tag.ok()) return tag.status();
  auto present = ReadMemory(database_, query_.space, superseded, WithEmbedding::kYes);
  if (!present.ok()) return present.status();
  if (!present->has_value() || !IsUnchangedMerger(**present)) return absl::OkStatus();
  ForgetCommand forget{query_.space, superseded, {}};
  forget.identity.request_id = RequestIdOf(query_.time, forget, (*present)->revision.version);
  forget.if_state = *tag;
  step.forgets.push_back(std::move(forget));
  return absl::OkStatus();
}

absl::Status Planner::PlanWrites(const MergeTask& task, const std::optional<Memory>& present,
                                 std::span<const Memory> sources, ConsolidationStep& step) {
  std::vector<Link> others;
  if (present.has_value()) {
    auto kept = OtherLinks(*present, task);
    if (!kept.ok()) return kept.status();
    others = *std::move(kept);
  }
  for (const MemoryId& superseded : task.superseded) {
    absl::Status planned = PlanForget(superseded, step);
    if (!planned.ok()) return planned;
  }
  StoreCommand store = Compose(task, sources, others);
  if (present.has_value() && Says(*present, store)) return absl::OkStatus();
  auto last = LastRevisionOf(task.id);
  if (!last.ok()) return last.status();
  store.identity.request_id = RequestIdOf(query_.time, store, *last);
  step.outcome = present.has_value() ? Outcome::kUpdated : Outcome::kCreated;
  written_ += BytesOf(store);
  step.store = std::move(store);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ConsolidationPlan> PlanConsolidation(const Database& database,
                                                    const ConsolidationQuery& query,
                                                    uint32_t dimension) {
  return Planner(database, query, dimension).Plan();
}

}  // namespace engram::memory
