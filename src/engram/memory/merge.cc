#include "engram/memory/merge.h"

#include <algorithm>
#include <optional>

#include "engram/memory/fusion.h"
#include "engram/memory/term_weights.h"

namespace engram::memory {
namespace {

class Merger {
 public:
  Merger(const RankingQuery& query, const TextStatistics& statistics,
         std::span<const SpaceFindings> spaces)
      : query_(query), weights_(Weigh(statistics)), spaces_(spaces), fusion_(names_, links_) {}

  std::vector<MergedHit> Run() {
    for (size_t space = 0; space < spaces_.size(); ++space) {
      if (spaces_[space].status.ok()) AddSpace(space);
    }
    for (const Scored& best : Best(by_text_)) fusion_.FoundByText(best.id, best.score);
    for (const Scored& best : Best(by_vector_)) fusion_.FoundByVector(best.id, best.score);
    fusion_.Run(query_.ways(), [this](IdNumber id) { return Of(id).eligible; });
    return TakeBest();
  }

 private:
  struct Place {
    size_t space;
    size_t found;
  };
  struct Scored {
    IdNumber id;
    float score;
  };

  const Found& Of(IdNumber id) const { return spaces_[places_[id].space].found[places_[id].found]; }

  // Names sort by id, then by space: no name of either holds the byte between them.
  IdNumber NumberOf(size_t space, size_t found) {
    const SpaceFindings& in = spaces_[space];
    const IdNumber number = names_.Number(in.found[found].id.value() + '\0' + in.space.value());
    if (number == places_.size()) places_.push_back({space, found});
    return number;
  }

  void AddSpace(size_t space) {
    const std::vector<Found>& found = spaces_[space].found;
    for (size_t i = 0; i < found.size(); ++i) {
      const IdNumber id = NumberOf(space, i);
      if (found[i].text_score) by_text_.push_back({id, *found[i].text_score});
      if (found[i].vector_score) by_vector_.push_back({id, *found[i].vector_score});
    }
    for (size_t i = 0; i < found.size(); ++i) {
      for (const FoundLink& link : found[i].links) {
        links_.Set(NumberOf(space, i), {NumberOf(space, link.to), link.weight});
      }
    }
  }

  std::vector<Scored> Best(std::vector<Scored>& all) const {
    std::sort(all.begin(), all.end(), [this](const Scored& a, const Scored& b) {
      if (a.score != b.score) return a.score > b.score;
      return names_.Name(a.id) < names_.Name(b.id);
    });
    all.resize(std::min(all.size(), query_.CandidatesWanted()));
    return std::move(all);
  }

  std::vector<MergedHit> TakeBest() const {
    std::vector<MergedHit> best;
    for (const Candidate& candidate : fusion_.ranked()) {
      if (best.size() == query_.limit) break;
      MergedHit hit = Explain(candidate);
      if (Of(candidate.id).confidence * hit.match >= query_.min_confidence) {
        best.push_back(std::move(hit));
      }
    }
    return best;
  }

  MergedHit Explain(const Candidate& candidate) const {
    const auto [space, found] = places_[candidate.id];
    MergedHit hit{space, found, candidate.score, 0, fusion_.Explain(candidate)};
    if (!hit.why.via.empty()) {
      const std::string& via = hit.why.via.value();
      hit.why.via = MemoryId(via.substr(0, via.find('\0')));
    }
    const double covered = candidate.text_rank > 0 ? AddTerms(Of(candidate.id), hit.why) : 0.0;
    hit.match = Fusion::Match(candidate, covered);
    return hit;
  }

  // Returns the share of the query's idf that the memory's words cover.
  double AddTerms(const Found& found, Why& why) const {
    double covered = 0;
    for (const TermWeight& weight : weights_.known) {
      const auto position = static_cast<uint32_t>(weight.position);
      if (std::find(found.terms.begin(), found.terms.end(), position) == found.terms.end())
        continue;
      why.terms.push_back(query_.text.terms[position].term);
      covered += weight.idf;
    }
    return weights_.idf_sum > 0 ? covered / weights_.idf_sum : 0.0;
  }

  const RankingQuery& query_;
  const TermWeights weights_;
  const std::span<const SpaceFindings> spaces_;
  DocumentTable names_;        // of ids within their spaces; no documents
  std::vector<Place> places_;  // by id number
  LinkTable links_;
  std::vector<Scored> by_text_;
  std::vector<Scored> by_vector_;
  Fusion fusion_;
};

}  // namespace

std::vector<MergedHit> Merge(const RankingQuery& query, const TextStatistics& statistics,
                             std::span<const SpaceFindings> spaces) {
  return Merger(query, statistics, spaces).Run();
}

}  // namespace engram::memory
