// Steps 2 to 4 of ranking.h: what the ways found becomes one order. The same arithmetic for one
// space's index and for what several nodes found in many spaces (merge.h).
//
// Made for one recall; not thread-safe. The tables must outlive it.
#pragma once

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "engram/memory/activation.h"
#include "engram/memory/document_table.h"
#include "engram/memory/link_table.h"

namespace engram::memory {

struct Candidate {
  IdNumber id = 0;
  double fused = 0;  // 0: found over links only
  double score = 0;
  double link_strength = 0;
  float text_score = 0;
  uint32_t text_rank = 0;
  float vector_score = 0;
  uint32_t vector_rank = 0;
};

class Fusion {
 public:
  // Of `documents` only the names are asked.
  Fusion(const DocumentTable& documents, const LinkTable& links)
      : documents_(documents), links_(links) {}

  // Each way's memories, best first.
  void FoundByText(IdNumber id, float score);
  void FoundByVector(IdNumber id, float score);

  // `ways` that were asked: 1 or 2. Of what links lead to, `eligible` may be a result.
  void Run(int ways, absl::FunctionRef<bool(IdNumber)> eligible);

  // Best first. REQUIRES: Run().
  const std::vector<Candidate>& ranked() const { return candidates_; }

  // How well the candidate matches, `covered` of the query's idf being in its words: the factor of
  // its confidence (ranking.h, step 5).
  static double Match(const Candidate& candidate, double covered);
  // Says it all but the terms.
  Why Explain(const Candidate& candidate) const;

 private:
  const std::string& Name(const Candidate& candidate) const {
    return documents_.Name(candidate.id);
  }
  Candidate& CandidateOf(IdNumber id);
  void Fuse(int ways);
  double Relevance(const Candidate& candidate) const;
  void FollowLinks(absl::FunctionRef<bool(IdNumber)> eligible);
  void Score();

  const DocumentTable& documents_;
  const LinkTable& links_;
  std::vector<Candidate> candidates_;
  absl::flat_hash_map<IdNumber, size_t> position_;  // in candidates_, until they are scored
  uint32_t text_ranks_ = 0;
  uint32_t vector_ranks_ = 0;
  float best_text_ = 0;
  float best_vector_ = 0;
  double best_fused_ = 1;
  Arrivals arrivals_;
};

}  // namespace engram::memory
