#include "engram/memory/ranking.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "engram/memory/activation.h"
#include "engram/memory/stop_words.h"

namespace engram::memory {
namespace {

constexpr size_t kCandidatesMin = 100;
constexpr size_t kCandidatesPerResult = 4;

struct Candidate {
  IdNumber id = 0;
  Ordinal document = kNoOrdinal;
  double fused = 0;  // 0: found over links only
  double score = 0;
  double link_strength = 0;
  float text_score = 0;
  uint32_t text_rank = 0;
  float vector_score = 0;
  uint32_t vector_rank = 0;
};

// Ranks the memories of one recall; lives as long as that.
class Ranker {
 public:
  Ranker(const SpaceIndex& index, const RankingQuery& query)
      : index_(index), query_(query), asked_(index.text().Prepare(query.text)) {}

  std::vector<RankedMemory> Run() {
    FindByText();
    FindByVector();
    Fuse();
    FollowLinks();
    Score();
    return TakeBest();
  }

 private:
  const DocumentTable& documents() const { return index_.documents(); }
  const std::string& Name(const Candidate& candidate) const {
    return documents().Name(candidate.id);
  }

  size_t CandidatesWanted() const {
    return std::max(query_.limit * kCandidatesPerResult, kCandidatesMin);
  }

  Candidate& CandidateOf(Ordinal document) {
    const IdNumber id = documents().IdOf(document);
    auto [entry, is_new] = position_.try_emplace(id, candidates_.size());
    if (is_new) candidates_.push_back({.id = id, .document = document});
    return candidates_[entry->second];
  }

  void FindByText() {
    uint32_t rank = 0;
    for (const ScoredDocument& found :
         index_.text().Search(asked_, documents(), query_.filter, CandidatesWanted())) {
      Candidate& candidate = CandidateOf(found.document);
      candidate.text_score = found.score;
      candidate.text_rank = ++rank;
      best_text_ = std::max(best_text_, found.score);
    }
  }

  void FindByVector() {
    if (query_.embedding.empty()) return;
    uint32_t rank = 0;
    for (const ScoredDocument& found :
         index_.vectors().Search(query_.embedding, documents(), query_.filter,
                                 {.need = query_.limit, .k = CandidatesWanted()})) {
      Candidate& candidate = CandidateOf(found.document);
      candidate.vector_score = found.score;
      candidate.vector_rank = ++rank;
      best_vector_ = std::max(best_vector_, found.score);
    }
  }

  void Fuse() {
    const int ways = (query_.text.terms.empty() ? 0 : 1) + (query_.embedding.empty() ? 0 : 1);
    auto share = [&](uint32_t rank) {
      return rank == 0 ? 0 : (kRankOffset + 1) / (kRankOffset + rank) / ways;
    };
    for (Candidate& candidate : candidates_) {
      candidate.fused = share(candidate.text_rank) + share(candidate.vector_rank);
    }
    std::sort(candidates_.begin(), candidates_.end(), [&](const auto& a, const auto& b) {
      if (a.fused != b.fused) return a.fused > b.fused;
      return Name(a) < Name(b);
    });
    for (size_t i = 0; i < candidates_.size(); ++i) position_[candidates_[i].id] = i;
    if (!candidates_.empty()) best_fused_ = candidates_.front().fused;
  }

  // Ranks say little about how good a match is: the 30th of a way may share one common word with
  // the query. What a memory passes on is its score beside the best of its way.
  double Relevance(const Candidate& candidate) const {
    auto share = [](float score, float best) { return best > 0 ? score / best : 0.0F; };
    return std::clamp(std::max(share(candidate.text_score, best_text_),
                               share(candidate.vector_score, best_vector_)),
                      0.0F, 1.0F);
  }

  void FollowLinks() {
    std::vector<Seed> seeds;
    for (size_t i = 0; i < std::min(kSeeds, candidates_.size()); ++i) {
      seeds.push_back({candidates_[i].id, Relevance(candidates_[i])});
    }
    arrivals_ = Spread(seeds, index_.links(), documents());
    for (const auto& [id, arrival] : arrivals_) {
      const Ordinal document = documents().DocumentOf(id);
      if (document == kNoOrdinal || !documents().Passes(document, query_.filter)) continue;
      CandidateOf(document).link_strength =
          std::min(kLinkGain * arrival.activation, kBelowSource * arrival.source_activation);
    }
  }

  void Score() {
    for (Candidate& candidate : candidates_) {
      const double missing = 1 - candidate.fused / best_fused_;
      candidate.score = best_fused_ * (1 - missing * (1 - candidate.link_strength));
    }
    std::sort(candidates_.begin(), candidates_.end(), [&](const auto& a, const auto& b) {
      if (a.score != b.score) return a.score > b.score;
      return Name(a) < Name(b);
    });
  }

  // What the bound drops makes room for the next in the order.
  std::vector<RankedMemory> TakeBest() const {
    std::vector<RankedMemory> best;
    best.reserve(std::min(query_.limit, candidates_.size()));
    for (const Candidate& candidate : candidates_) {
      if (best.size() == query_.limit) break;
      RankedMemory ranked = Explain(candidate);
      const double confidence = documents().ConfidenceOf(candidate.document) * ranked.match;
      if (confidence >= query_.min_confidence) best.push_back(std::move(ranked));
    }
    return best;
  }

  RankedMemory Explain(const Candidate& candidate) const {
    RankedMemory ranked;
    ranked.id = MemoryId(Name(candidate));
    ranked.score = candidate.score;
    double covered_idf = 0;
    if (candidate.text_rank > 0) {
      for (const auto& term : index_.text().Matches(asked_, candidate.document)) {
        ranked.why.terms.push_back(*term.text);
        covered_idf += term.idf;
      }
    }
    // Not above 1: so a memory's own confidence bounds the one that is shown.
    ranked.match = std::max({asked_.idf_sum > 0 ? std::min(covered_idf / asked_.idf_sum, 1.0) : 0.0,
                             static_cast<double>(std::min(candidate.vector_score, 1.0F)),
                             candidate.link_strength});
    ranked.why.text_score = candidate.text_score;
    ranked.why.text_rank = candidate.text_rank;
    ranked.why.vector_score = candidate.vector_score;
    ranked.why.vector_rank = candidate.vector_rank;
    if (auto arrival = arrivals_.find(candidate.id); arrival != arrivals_.end()) {
      ranked.why.activation = arrival->second.activation;
      ranked.why.via = MemoryId(documents().Name(arrival->second.via));
    }
    return ranked;
  }

  const SpaceIndex& index_;
  const RankingQuery& query_;
  const TextIndex::Query asked_;
  std::vector<Candidate> candidates_;
  absl::flat_hash_map<IdNumber, size_t> position_;  // in candidates_, until they are scored
  double best_fused_ = 1;
  float best_text_ = 0;
  float best_vector_ = 0;
  Arrivals arrivals_;
};

}  // namespace

RankingQuery::RankingQuery(const RecallQuery& query)
    : text(WithoutFunctionWords(Analyze(query.text))),
      embedding(query.embedding),
      filter(query),
      min_confidence(query.min_confidence),
      limit(query.limit) {}

std::vector<RankedMemory> Rank(const SpaceIndex& index, const RankingQuery& query) {
  return Ranker(index, query).Run();
}

}  // namespace engram::memory
