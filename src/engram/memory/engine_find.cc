// The engine's part in a recall over several spaces.
#include <utility>

#include "engram/memory/engine_impl.h"
#include "engram/memory/errors.h"
#include "engram/memory/finder.h"
#include "engram/memory/memory_reader.h"
#include "engram/memory/merge.h"
#include "engram/memory/term_weights.h"

namespace engram::memory {
namespace {

size_t BytesOf(const Memory& memory) {
  size_t bytes = memory.content.size();
  for (const std::string& tag : memory.tags) bytes += tag.size();
  for (const auto& [key, value] : memory.metadata) bytes += key.size() + value.size();
  return bytes;
}

}  // namespace

absl::StatusOr<std::shared_ptr<SpaceState>> EngineImpl::Searchable(const SpaceId& id,
                                                                   size_t dimension) const {
  std::shared_ptr<SpaceState> space = FindReadable(id.view());
  if (space == nullptr) return NoSuchSpace(id);
  absl::Status usable = CheckDimension(dimension, space->record().dimension, id);
  if (usable.ok()) usable = space->EnsureLoaded(*database_);
  if (!usable.ok()) return usable;
  if (space->NeedsCare(options_.exact_vectors_max)) keeper_.Visit(space);
  return space;
}

std::vector<absl::StatusOr<TextStatistics>> EngineImpl::Survey(std::span<const SpaceId> spaces,
                                                               const RecallQuery& query) const {
  const RankingQuery ranking(query);
  std::vector<absl::StatusOr<TextStatistics>> answers;
  for (const SpaceId& id : spaces) {
    auto space = Searchable(id, query.embedding.size());
    if (!space.ok()) {
      answers.emplace_back(space.status());
    } else {
      answers.emplace_back(StatisticsOf(**space, ranking.text));
    }
  }
  return answers;
}

absl::StatusOr<Findings> EngineImpl::Find(std::span<const SpaceId> spaces, const RecallQuery& query,
                                          const FindOptions& options) const {
  if (absl::Status valid = ValidateQuestion(query); !valid.ok()) return valid;
  const RankingQuery ranking(query);
  Findings findings;
  std::vector<std::shared_ptr<SpaceState>> searchable;
  for (const SpaceId& id : spaces) {
    auto space = Searchable(id, query.embedding.size());
    if (space.ok()) {
      searchable.push_back(*std::move(space));
    } else {
      findings.spaces.push_back({id, space.status(), {}});
    }
  }
  if (options.statistics != nullptr) {
    findings.statistics = *options.statistics;
  } else {
    findings.statistics.with_term.resize(ranking.text.terms.size());
    for (const auto& space : searchable) {
      Add(StatisticsOf(*space, ranking.text), findings.statistics);
    }
  }
  if (findings.statistics.with_term.size() != ranking.text.terms.size()) {
    return InvalidArgument("statistics", "they are not of the words of the query");
  }
  for (SpaceFindings& found : memory::Find(ranking, findings.statistics, searchable)) {
    findings.spaces.push_back(std::move(found));
  }
  if (absl::Status read = Read(query, options.bytes_max, findings); !read.ok()) return read;
  return findings;
}

// The memories that would be the result if there were no other spaces: nearly always all that the
// result over all spaces needs of these.
absl::Status EngineImpl::Read(const RecallQuery& query, size_t bytes_max,
                              Findings& findings) const {
  size_t bytes = 0;
  for (const MergedHit& hit : Merge(RankingQuery(query), findings.statistics, findings.spaces)) {
    SpaceFindings& in = findings.spaces[hit.space];
    Found& found = in.found[hit.found];
    auto memory = ReadMemory(*database_, in.space, found.id, WithEmbedding::kNo);
    if (!memory.ok()) return memory.status();
    // It may have been forgotten or changed since it was found.
    if (!memory->has_value() || !Passes(query, **memory)) continue;
    bytes += BytesOf(**memory);
    if (bytes > bytes_max) return absl::OkStatus();
    found.memory = **std::move(memory);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Memory>> EngineImpl::ReadFound(const SpaceId& space,
                                                            const MemoryId& id,
                                                            const RecallQuery& query) const {
  auto memory = ReadMemory(*database_, space, id, WithEmbedding::kNo);
  if (memory.ok() && memory->has_value() && !Passes(query, **memory)) return std::nullopt;
  return memory;
}

}  // namespace engram::memory
