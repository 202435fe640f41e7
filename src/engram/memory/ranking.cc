#include "engram/memory/ranking.h"

#include <algorithm>

#include "engram/memory/fusion.h"
#include "engram/memory/stop_words.h"

namespace engram::memory {
namespace {

constexpr size_t kCandidatesMin = 100;
constexpr size_t kCandidatesPerResult = 4;

// Ranks the memories of one recall; lives as long as that.
class Ranker {
 public:
  Ranker(const SpaceIndex& index, const RankingQuery& query)
      : index_(index),
        query_(query),
        asked_(index.text().Prepare(query.text)),
        fusion_(index.documents(), index.links()) {}

  std::vector<RankedMemory> Run() {
    FindByText();
    FindByVector();
    fusion_.Run(query_.ways(), [this](IdNumber id) {
      const Ordinal document = documents().DocumentOf(id);
      return document != kNoOrdinal && documents().Passes(document, query_.filter);
    });
    return TakeBest();
  }

 private:
  const DocumentTable& documents() const { return index_.documents(); }

  void FindByText() {
    for (const ScoredDocument& found :
         index_.text().Search(asked_, documents(), query_.filter, query_.CandidatesWanted())) {
      fusion_.FoundByText(documents().IdOf(found.document), found.score);
    }
  }

  void FindByVector() {
    if (query_.embedding.empty()) return;
    for (const ScoredDocument& found :
         index_.vectors().Search(query_.embedding, documents(), query_.filter,
                                 {.need = query_.limit, .k = query_.CandidatesWanted()})) {
      fusion_.FoundByVector(documents().IdOf(found.document), found.score);
    }
  }

  // What the bound drops makes room for the next in the order.
  std::vector<RankedMemory> TakeBest() const {
    const std::vector<Candidate>& candidates = fusion_.ranked();
    std::vector<RankedMemory> best;
    best.reserve(std::min(query_.limit, candidates.size()));
    for (const Candidate& candidate : candidates) {
      if (best.size() == query_.limit) break;
      const Ordinal document = documents().DocumentOf(candidate.id);
      RankedMemory ranked = Explain(candidate, document);
      const double confidence = documents().ConfidenceOf(document) * ranked.match;
      if (confidence >= query_.min_confidence) best.push_back(std::move(ranked));
    }
    return best;
  }

  RankedMemory Explain(const Candidate& candidate, Ordinal document) const {
    RankedMemory ranked{MemoryId(documents().Name(candidate.id)), candidate.score, 0,
                        fusion_.Explain(candidate)};
    double covered_idf = 0;
    if (candidate.text_rank > 0) {
      for (const TextIndex::QueryTerm& term : index_.text().Matches(asked_, document)) {
        ranked.why.terms.push_back(query_.text.terms[term.position].term);
        covered_idf += term.idf;
      }
    }
    ranked.match =
        Fusion::Match(candidate, asked_.idf_sum > 0 ? covered_idf / asked_.idf_sum : 0.0);
    return ranked;
  }

  const SpaceIndex& index_;
  const RankingQuery& query_;
  const TextIndex::Query asked_;
  Fusion fusion_;
};

}  // namespace

RankingQuery::RankingQuery(const RecallQuery& query)
    : text(WithoutFunctionWords(Analyze(query.text))),
      embedding(query.embedding),
      filter(query),
      min_confidence(query.min_confidence),
      limit(query.limit + kSpareHits) {}

int RankingQuery::ways() const {
  return (text.terms.empty() ? 0 : 1) + (embedding.empty() ? 0 : 1);
}

size_t RankingQuery::CandidatesWanted() const {
  return std::max(limit * kCandidatesPerResult, kCandidatesMin);
}

std::vector<RankedMemory> Rank(const SpaceIndex& index, const RankingQuery& query) {
  return Ranker(index, query).Run();
}

}  // namespace engram::memory
