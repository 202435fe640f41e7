#include "engram/memory/fusion.h"

#include <algorithm>

#include "engram/memory/ranking.h"

namespace engram::memory {

Candidate& Fusion::CandidateOf(IdNumber id) {
  auto [entry, is_new] = position_.try_emplace(id, candidates_.size());
  if (is_new) candidates_.push_back({.id = id});
  return candidates_[entry->second];
}

void Fusion::FoundByText(IdNumber id, float score) {
  Candidate& candidate = CandidateOf(id);
  candidate.text_score = score;
  candidate.text_rank = ++text_ranks_;
  best_text_ = std::max(best_text_, score);
}

void Fusion::FoundByVector(IdNumber id, float score) {
  Candidate& candidate = CandidateOf(id);
  candidate.vector_score = score;
  candidate.vector_rank = ++vector_ranks_;
  best_vector_ = std::max(best_vector_, score);
}

void Fusion::Run(int ways, absl::FunctionRef<bool(IdNumber)> eligible) {
  Fuse(ways);
  FollowLinks(eligible);
  Score();
}

void Fusion::Fuse(int ways) {
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

// Ranks say little about how good a match is: the 30th of a way may share one common word with the
// query. What a memory passes on is its score beside the best of its way.
double Fusion::Relevance(const Candidate& candidate) const {
  auto share = [](float score, float best) { return best > 0 ? score / best : 0.0F; };
  return std::clamp(std::max(share(candidate.text_score, best_text_),
                             share(candidate.vector_score, best_vector_)),
                    0.0F, 1.0F);
}

void Fusion::FollowLinks(absl::FunctionRef<bool(IdNumber)> eligible) {
  std::vector<Seed> seeds;
  for (size_t i = 0; i < std::min(kSeeds, candidates_.size()); ++i) {
    seeds.push_back({candidates_[i].id, Relevance(candidates_[i])});
  }
  arrivals_ = Spread(seeds, links_, documents_);
  for (const auto& [id, arrival] : arrivals_) {
    if (!eligible(id)) continue;
    CandidateOf(id).link_strength =
        std::min(kLinkGain * arrival.activation, kBelowSource * arrival.source_activation);
  }
}

void Fusion::Score() {
  for (Candidate& candidate : candidates_) {
    const double missing = 1 - candidate.fused / best_fused_;
    candidate.score = best_fused_ * (1 - missing * (1 - candidate.link_strength));
  }
  std::sort(candidates_.begin(), candidates_.end(), [&](const auto& a, const auto& b) {
    if (a.score != b.score) return a.score > b.score;
    return Name(a) < Name(b);
  });
}

double Fusion::Match(const Candidate& candidate, double covered) {
  // Not above 1: so a memory's own confidence bounds the one that is shown.
  return std::max({std::min(covered, 1.0),
                   static_cast<double>(std::min(candidate.vector_score, 1.0F)),
                   candidate.link_strength});
}

Why Fusion::Explain(const Candidate& candidate) const {
  Why why;
  why.text_score = candidate.text_score;
  why.text_rank = candidate.text_rank;
  why.vector_score = candidate.vector_score;
  why.vector_rank = candidate.vector_rank;
  if (auto arrival = arrivals_.find(candidate.id); arrival != arrivals_.end()) {
    why.activation = arrival->second.activation;
    why.via = MemoryId(documents_.Name(arrival->second.via));
  }
  return why;
}

}  // namespace engram::memory
