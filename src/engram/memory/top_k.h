// Keeps the best k of many scored documents. Ties go to the smaller id, so that equal data gives
// equal answers on every node whatever order it arrived in.
//
// Not thread-safe; made for one search.
#pragma once

#include <algorithm>
#include <vector>

#include "engram/memory/document_table.h"

namespace engram::memory {

struct ScoredDocument {
  Ordinal document = kNoOrdinal;
  float score = 0;
};

class TopK {
 public:
  TopK(const DocumentTable& documents, size_t k) : documents_(documents), k_(k) {}

  // What is worse than this cannot enter any more; what equals it may.
  float threshold() const { return heap_.size() < k_ ? -1e30F : heap_.front().score; }

  void Offer(Ordinal document, float score) {
    const ScoredDocument offered{document, score};
    auto better = [this](const auto& a, const auto& b) { return Better(a, b); };
    if (heap_.size() == k_) {
      if (!Better(offered, heap_.front())) return;
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.pop_back();
    }
    heap_.push_back(offered);
    std::push_heap(heap_.begin(), heap_.end(), better);
  }

  // Best first. Ends the use of this object.
  std::vector<ScoredDocument> Take() {
    std::sort(heap_.begin(), heap_.end(),
              [this](const auto& a, const auto& b) { return Better(a, b); });
    return std::move(heap_);
  }

 private:
  bool Better(const ScoredDocument& a, const ScoredDocument& b) const {
    if (a.score != b.score) return a.score > b.score;
    return documents_.Name(documents_.IdOf(a.document)) <
           documents_.Name(documents_.IdOf(b.document));
  }

  const DocumentTable& documents_;
  const size_t k_;
  std::vector<ScoredDocument> heap_;  // the worst in front
};

}  // namespace engram::memory
