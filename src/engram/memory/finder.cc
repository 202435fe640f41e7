#include "engram/memory/finder.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "engram/memory/activation.h"

namespace engram::memory {
namespace {

constexpr uint32_t kUnranked = std::numeric_limits<uint32_t>::max();

struct Scored {
  size_t space;
  std::string id;
  float score;
};

struct Ranked {
  size_t space;
  std::string id;
  uint32_t text_rank = kUnranked;
  uint32_t vector_rank = kUnranked;
  double relevance = 0;
};

// As merge.h orders them.
void KeepBest(std::vector<Scored>& all, size_t count, SpaceStates spaces) {
  std::sort(all.begin(), all.end(), [&](const Scored& a, const Scored& b) {
    if (a.score != b.score) return a.score > b.score;
    if (a.id != b.id) return a.id < b.id;
    return spaces[a.space]->id() < spaces[b.space]->id();
  });
  all.resize(std::min(all.size(), count));
}

// Those that fewer than kSeeds others are before in both ways.
std::vector<const Ranked*> PossibleSeeds(const std::vector<Ranked>& all) {
  std::vector<const Ranked*> by_text;
  for (const Ranked& ranked : all) by_text.push_back(&ranked);
  std::sort(by_text.begin(), by_text.end(), [](const Ranked* a, const Ranked* b) {
    return std::pair(a->text_rank, a->vector_rank) < std::pair(b->text_rank, b->vector_rank);
  });
  std::vector<const Ranked*> seeds;
  std::priority_queue<uint32_t> best_by_vector;  // of those before in text; the worst on top
  for (const Ranked* ranked : by_text) {
    const bool full = best_by_vector.size() == kSeeds;
    if (full && best_by_vector.top() <= ranked->vector_rank) continue;
    seeds.push_back(ranked);
    if (full) best_by_vector.pop();
    best_by_vector.push(ranked->vector_rank);
  }
  return seeds;
}

// What is told of one space, while its index is read.
class SpaceReader {
 public:
  SpaceReader(const SpaceIndex& index, const RankingQuery& query, const TextStatistics& statistics,
              SpaceFindings& out)
      : index_(index), query_(query), out_(out) {
    if (!query.text.terms.empty()) asked_ = index.text().Prepare(query.text, statistics);
  }

  // `found` are in `out` already.
  void Complete(std::span<const Ranked* const> seeds) {
    for (size_t i = 0; i < out_.found.size(); ++i) numbers_[out_.found[i].id.value()] = i;
    AddLinks(seeds);
    for (Found& found : out_.found) Describe(found);
  }

 private:
  const DocumentTable& documents() const { return index_.documents(); }

  size_t PositionOf(IdNumber id) {
    const std::string& name = documents().Name(id);
    auto [entry, is_new] = numbers_.try_emplace(name, out_.found.size());
    if (is_new) out_.found.emplace_back().id = MemoryId(name);
    return entry->second;
  }

  void AddLinks(std::span<const Ranked* const> seeds) {
    std::vector<Seed> starts;
    for (const Ranked* seed : seeds) {
      // It may be gone since it was found.
      const Ordinal document = documents().Find(seed->id);
      if (document != kNoOrdinal) starts.push_back({documents().IdOf(document), seed->relevance});
    }
    for (const auto& [from, links] : LinksWithin(starts, index_.links(), documents())) {
      const size_t position = PositionOf(from);
      for (const OutLink& link : links) {
        const auto to = static_cast<uint32_t>(PositionOf(link.to));
        out_.found[position].links.push_back({to, link.weight});
      }
    }
  }

  void Describe(Found& found) const {
    const Ordinal document = documents().Find(found.id.view());
    if (document == kNoOrdinal) return;
    found.eligible = documents().Passes(document, query_.filter);
    found.confidence = documents().ConfidenceOf(document);
    if (!found.text_score) return;
    for (const TextIndex::QueryTerm& term : index_.text().Matches(asked_, document)) {
      found.terms.push_back(static_cast<uint32_t>(term.position));
    }
  }

  const SpaceIndex& index_;
  const RankingQuery& query_;
  TextIndex::Query asked_;
  SpaceFindings& out_;
  absl::flat_hash_map<std::string, size_t> numbers_;
};

class Finder {
 public:
  Finder(const RankingQuery& query, const TextStatistics& statistics, SpaceStates spaces)
      : query_(query), statistics_(statistics), spaces_(spaces) {}

  std::vector<SpaceFindings> Run() {
    for (size_t space = 0; space < spaces_.size(); ++space) {
      spaces_[space]->Read([&](const SpaceIndex& index) { Search(space, index); });
    }
    KeepBest(by_text_, query_.CandidatesWanted(), spaces_);
    KeepBest(by_vector_, query_.CandidatesWanted(), spaces_);
    std::vector<SpaceFindings> findings(spaces_.size());
    for (size_t i = 0; i < spaces_.size(); ++i) findings[i].space = spaces_[i]->id();
    const std::vector<Ranked> ranked = Collect(findings);
    std::vector<std::vector<const Ranked*>> seeds(spaces_.size());
    for (const Ranked* seed : PossibleSeeds(ranked)) seeds[seed->space].push_back(seed);
    for (size_t i = 0; i < spaces_.size(); ++i) {
      if (findings[i].found.empty()) continue;
      spaces_[i]->Read([&](const SpaceIndex& index) {
        SpaceReader(index, query_, statistics_, findings[i]).Complete(seeds[i]);
      });
    }
    return findings;
  }

 private:
  void Search(size_t space, const SpaceIndex& index) {
    const DocumentTable& documents = index.documents();
    auto add = [&](const ScoredDocument& found, std::vector<Scored>& to) {
      to.push_back({space, documents.Name(documents.IdOf(found.document)), found.score});
    };
    if (!query_.text.terms.empty()) {
      const TextIndex::Query asked = index.text().Prepare(query_.text, statistics_);
      for (const ScoredDocument& found :
           index.text().Search(asked, documents, query_.filter, query_.CandidatesWanted())) {
        add(found, by_text_);
      }
    }
    if (query_.embedding.empty()) return;
    for (const ScoredDocument& found :
         index.vectors().Search(query_.embedding, documents, query_.filter,
                                {.need = query_.limit, .k = query_.CandidatesWanted()})) {
      add(found, by_vector_);
    }
  }

  // Puts what was found where it is told, each memory once.
  std::vector<Ranked> Collect(std::vector<SpaceFindings>& findings) const {
    std::vector<Ranked> all;
    absl::flat_hash_map<std::pair<size_t, std::string>, std::pair<size_t, size_t>> places;
    auto place = [&](const Scored& scored) {
      std::vector<Found>& found = findings[scored.space].found;
      auto [entry, is_new] =
          places.try_emplace({scored.space, scored.id}, found.size(), all.size());
      if (is_new) {
        found.emplace_back().id = MemoryId(scored.id);
        all.push_back({scored.space, scored.id});
      }
      return std::pair(&found[entry->second.first], &all[entry->second.second]);
    };
    for (size_t i = 0; i < by_text_.size(); ++i) {
      auto [found, ranked] = place(by_text_[i]);
      found->text_score = by_text_[i].score;
      ranked->text_rank = static_cast<uint32_t>(i);
      Raise(*ranked, by_text_[i].score, by_text_.front().score);
    }
    for (size_t i = 0; i < by_vector_.size(); ++i) {
      auto [found, ranked] = place(by_vector_[i]);
      found->vector_score = by_vector_[i].score;
      ranked->vector_rank = static_cast<uint32_t>(i);
      Raise(*ranked, by_vector_[i].score, by_vector_.front().score);
    }
    return all;
  }

  // Beside the best of this node; beside that of all nodes it can only be less.
  static void Raise(Ranked& ranked, float score, float best) {
    if (best > 0) ranked.relevance = std::max(ranked.relevance, static_cast<double>(score / best));
  }

  const RankingQuery& query_;
  const TextStatistics& statistics_;
  const SpaceStates spaces_;
  std::vector<Scored> by_text_;
  std::vector<Scored> by_vector_;
};

}  // namespace

std::vector<SpaceFindings> Find(const RankingQuery& query, const TextStatistics& statistics,
                                SpaceStates spaces) {
  return Finder(query, statistics, spaces).Run();
}

TextStatistics StatisticsOf(const SpaceState& space, const AnalyzedText& text) {
  TextStatistics statistics;
  space.Read([&](const SpaceIndex& index) { statistics = index.text().StatisticsOf(text); });
  return statistics;
}

}  // namespace engram::memory
