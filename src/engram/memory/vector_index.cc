#include "engram/memory/vector_index.h"

#include <algorithm>

#include "engram/memory/vector_math.h"

namespace engram::memory {
namespace {

// Looking at `ef` candidates costs the graph about this many comparisons each, scattered over
// memory; where that comes to the size of the array, going through the array is faster.
constexpr size_t kComparisonsPerCandidate = 25;

}  // namespace

void VectorIndex::Add(Ordinal document, std::span<const float> embedding) {
  if (dimension_ == 0) dimension_ = embedding.size();
  AppendNormalized(embedding, values_);
  documents_.push_back(document);
}

void VectorIndex::Scan(std::span<const float> query, size_t begin, const DocumentTable& documents,
                       const Filter& filter, TopK& best) const {
  for (size_t row = begin; row < documents_.size(); ++row) {
    const Ordinal document = documents_[row];
    // A filter is cheaper to ask than a product to compute; the bare question whether it is alive
    // is not.
    if (!filter.trivial() && !documents.Passes(document, filter)) continue;
    const float score = DotProduct(query.data(), values_.data() + row * dimension_, dimension_);
    if (score < best.threshold() || !documents.Alive(document)) continue;
    best.Offer(document, score);
  }
}

std::vector<ScoredDocument> VectorIndex::Search(std::span<const float> query,
                                                const DocumentTable& documents,
                                                const Filter& filter, Wanted wanted) const {
  if (documents_.empty() || query.size() != dimension_) return {};
  std::vector<float> unit;
  AppendNormalized(query, unit);

  // A quarter more than wished for makes up for the dead rows that the keeper has not swept out
  // yet.
  const size_t candidates = wanted.k + wanted.k / 4;
  if (graph_ != nullptr && candidates * kComparisonsPerCandidate < rows()) {
    const VectorGraph::Result found = graph_->Search(unit, candidates);
    TopK best(documents, wanted.k);
    size_t passed = 0;
    for (const VectorGraph::Neighbour& neighbour : found.neighbours) {
      const Ordinal document = documents_[neighbour.row];
      if (!documents.Passes(document, filter)) continue;
      best.Offer(document, neighbour.cosine);
      ++passed;
    }
    if (passed >= (filter.trivial() ? wanted.need : wanted.k)) {
      Scan(unit, found.covered_rows, documents, filter, best);
      return best.Take();
    }
  }
  TopK best(documents, wanted.k);
  Scan(unit, 0, documents, filter, best);
  return best.Take();
}

}  // namespace engram::memory
