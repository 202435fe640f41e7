#include "engram/memory/term_weights.h"

#include <algorithm>
#include <cmath>

namespace engram::memory {
namespace {

double Idf(uint64_t documents, uint64_t documents_with_term) {
  const auto all = static_cast<double>(documents);
  const auto with = static_cast<double>(documents_with_term);
  return std::log(1 + (all - with + 0.5) / (with + 0.5));
}

}  // namespace

TermWeights Weigh(const TextStatistics& statistics) {
  TermWeights weights;
  for (size_t i = 0; i < statistics.with_term.size(); ++i) {
    const double idf = Idf(statistics.documents, statistics.with_term[i]);
    if (statistics.with_term[i] > 0) {
      weights.known.push_back({i, idf});
    } else {
      weights.idf_sum += idf;
    }
  }
  std::stable_sort(weights.known.begin(), weights.known.end(),
                   [](const TermWeight& a, const TermWeight& b) { return a.idf > b.idf; });
  // In the order in which a document's matches are summed: who has every term covers exactly the
  // whole.
  for (const TermWeight& term : weights.known) weights.idf_sum += term.idf;
  if (statistics.documents > 0) {
    weights.average_length =
        static_cast<double>(statistics.words) / static_cast<double>(statistics.documents);
  }
  return weights;
}

void Add(const TextStatistics& from, TextStatistics& to) {
  to.documents += from.documents;
  to.words += from.words;
  to.with_term.resize(std::max(to.with_term.size(), from.with_term.size()));
  for (size_t i = 0; i < from.with_term.size(); ++i) to.with_term[i] += from.with_term[i];
}

}  // namespace engram::memory
