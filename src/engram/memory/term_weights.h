// How much each term of a query counts in BM25 (text_index.h), from the statistics of whatever is
// searched: one space, or all spaces that one recall asks.
//
// Statistics add up, weights do not: so a recall over several spaces sums the statistics first, and
// its scores are those that one space with all their memories would give.
//
// Pure and thread-safe.
#pragma once

#include <cstddef>
#include <vector>

#include "engram/memory/types.h"

namespace engram::memory {

struct TermWeight {
  size_t position = 0;  // of the term in the query's AnalyzedText
  double idf = 0;
};

struct TermWeights {
  std::vector<TermWeight> known;  // the terms that some document has, the rarest first
  double idf_sum = 0;             // of all terms of the query, known or not
  double average_length = 0;      // of the documents, in words
};

TermWeights Weigh(const TextStatistics& statistics);

// `from` is added to `to`. REQUIRES: of the same query, or `to` is new.
void Add(const TextStatistics& from, TextStatistics& to);

}  // namespace engram::memory
