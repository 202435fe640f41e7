// One ranking out of what a recall found in several spaces, on whatever nodes they are (SPEC R11).
//
// Ranks are of the whole: the best of each way are taken from all spaces together, fused, and
// activation spreads from the best of them. So the same memories give the same order and scores
// however their spaces are spread over nodes, and those of one space with all of them, as far as
// links go (which never leave a space). For that each node must deliver enough; see finder.h.
//
// Equal scores are ordered by id, then by space. Pure and thread-safe.
#pragma once

#include <span>
#include <vector>

#include "engram/memory/findings.h"
#include "engram/memory/ranking.h"

namespace engram::memory {

// `space` and `found` say where in the findings it is.
struct MergedHit {
  size_t space = 0;
  size_t found = 0;
  double score = 0;
  double match = 0;  // the factor of its confidence
  Why why;
};

// At most query.limit, spare ones included, best first, none below query.min_confidence. Spaces
// with a status other than OK are left out. REQUIRES: each space is there once; text was scored by
// `statistics`, which are of query.text.
std::vector<MergedHit> Merge(const RankingQuery& query, const TextStatistics& statistics,
                             std::span<const SpaceFindings> spaces);

}  // namespace engram::memory
