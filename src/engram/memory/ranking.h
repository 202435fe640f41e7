// How recall ranks: pure arithmetic over one space's index.
//
// 1. Ways. The text way ranks by BM25 (text_index.h) of the query without its function words
//    (stop_words.h), the vector way by cosine (vector_index.h). Each gives its best
//    max(4 * limit, 100) memories that pass the filter.
// 2. Fusion by reciprocal ranks: fused(d) = sum over ways of 1 / (60 + rank), divided by what a
// memory
//    that is first in every way gets, so it lies in (0, 1]. Cormack, Clarke and Buettcher,
//    "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", 2009.
// 3. Spreading activation over links (Collins and Loftus, "A spreading-activation theory of
// semantic
//    processing", 1975). The best kSeeds fused memories start with their relevance: the larger of
//    BM25 / best BM25 and cosine / best cosine. Along a link arrives activation(from) * weight *
//    kDecay, for kHops hops, dropped below kThreshold; what arrives at one memory adds up, to no
//    more than the activation of its strongest source.
// 4. Score. f = fused / best fused (0 if found over links only); s = min(kLinkGain * arrived,
//    kBelowSource * activation of the strongest source). score = best fused * (1 - (1 - f) * (1 -
//    s)). So the best direct hit stays first, links lift a hit but never above it, and what only
//    links found stays below the memory that led there.
// 5. Confidence = the memory's own * max(text, vector, s), where text is the share of the query's
//    idf that the memory's words cover, vector the cosine (not below 0). A query's min_confidence
//    bounds this product. The memory's own confidence is never below it, so the filter of the ways
//    asks for as much already; what then falls short is dropped in the order of the score until
//    `limit` memories are found.
//
// Equal scores are ordered by id: equal data gives equal answers on every node.
#pragma once

#include <span>
#include <vector>

#include "engram/memory/analyzer.h"
#include "engram/memory/filter.h"
#include "engram/memory/space_index.h"

namespace engram::memory {

inline constexpr double kRankOffset = 60;
inline constexpr size_t kSeeds = 32;
inline constexpr double kDecay = 0.5;
inline constexpr int kHops = 2;
inline constexpr double kThreshold = 0.05;
inline constexpr size_t kFanOut = 32;  // the strongest links of one memory
inline constexpr double kLinkGain = 1.6;
inline constexpr double kBelowSource = 0.95;

// Ranked beyond the limit, to fill in for what is forgotten between ranking and reading.
inline constexpr size_t kSpareHits = 8;

// A recall, taken apart. Refers to the query it was made from.
struct RankingQuery {
  AnalyzedText text;
  std::span<const float> embedding;
  Filter filter;
  double min_confidence;  // of memory and match together
  size_t limit;           // spare ones included

  explicit RankingQuery(const RecallQuery& query);
  int ways() const;
  size_t CandidatesWanted() const;  // of each way
};

struct RankedMemory {
  MemoryId id;
  double score = 0;
  double match = 0;  // the factor of its confidence
  Why why;
};

// At most query.limit, best first, none below query.min_confidence. REQUIRES: the embedding, if
// there is one, has the index's dimension.
std::vector<RankedMemory> Rank(const SpaceIndex& index, const RankingQuery& query);

}  // namespace engram::memory
