// The part of a recall over several spaces that one node does: finds what merge.h may need of the
// spaces it holds.
//
// Not everything: of each way the best that the query wants of the whole (the best of all spaces of
// all nodes are among those), and links only from memories that can be among the kSeeds best once
// all nodes' findings are fused. A memory cannot, if kSeeds others of this node are before it in
// both ways: they stay before it however many of other nodes come between.
//
// Pure, but for reading the spaces' indexes. Made for one search; not thread-safe.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engram/memory/findings.h"
#include "engram/memory/ranking.h"
#include "engram/memory/space_state.h"

namespace engram::memory {

using SpaceStates = std::span<const std::shared_ptr<SpaceState>>;

// In the order of `spaces`. REQUIRES: their indexes are loaded, the embedding has their dimension,
// `statistics` are of query.text and include these spaces.
std::vector<SpaceFindings> Find(const RankingQuery& query, const TextStatistics& statistics,
                                SpaceStates spaces);

// Of one space. REQUIRES: its index is loaded.
TextStatistics StatisticsOf(const SpaceState& space, const AnalyzedText& text);

}  // namespace engram::memory
