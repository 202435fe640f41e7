// The inverted index of one space and its ranking, BM25:
//
//   score(d, q) = sum over terms t of q of  idf(t) * f * (k1 + 1) / (f + k1 * (1 - b + b * |d| /
//   avg|d|)) idf(t)      = ln(1 + (N - n + 0.5) / (n + 0.5))
//
// f: how often d has t; N: documents; n: documents with t (both of the living only); k1 = 1.2, b =
// 0.75. Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; the
// idf is Lucene's, which stays positive for a term that more than half of the documents have.
//
// Held in memory and rebuilt from the stored terms: going through the lists of common words in the
// database costs tens of milliseconds at 100,000 memories, here a fraction of one.
//
// Owned by SpaceIndex; not thread-safe (searches may run side by side).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engram/base/string_hash.h"
#include "engram/memory/analyzer.h"
#include "engram/memory/document_table.h"
#include "engram/memory/top_k.h"
#include "engram/memory/types.h"

namespace engram::memory {

class TextIndex {
 public:
  // A query ready to be asked: its terms that the index has, the rarest first.
  struct QueryTerm {
    uint32_t term = 0;
    double idf = 0;
    size_t position = 0;  // in the AnalyzedText it was made from
  };
  struct Query {
    std::vector<QueryTerm> terms;
    double idf_sum = 0;  // of all terms of the query, known or not
    double average_length = 0;
  };

  // REQUIRES: ordinals come in ascending order, none left out.
  void Add(Ordinal document, const AnalyzedText& text);
  // REQUIRES: added before and not removed.
  void Remove(Ordinal document);

  TextStatistics StatisticsOf(const AnalyzedText& text) const;
  // By this space's own statistics.
  Query Prepare(const AnalyzedText& text) const { return Prepare(text, StatisticsOf(text)); }
  // By those of all that is searched. REQUIRES: they are of `text` and this space is in them.
  Query Prepare(const AnalyzedText& text, const TextStatistics& statistics) const;
  // The best `k` documents that have a term and pass, best first.
  std::vector<ScoredDocument> Search(const Query& query, const DocumentTable& documents,
                                     const Filter& filter, size_t k) const;
  // The terms of the query that the document has.
  std::vector<QueryTerm> Matches(const Query& query, Ordinal document) const;

 private:
  struct Posting {
    Ordinal document;
    uint32_t count;
  };
  struct Term {
    std::vector<Posting> postings;  // by ordinal, dead documents included
    uint32_t alive = 0;
  };

  // Null if no document ever had it.
  const Term* Find(std::string_view term) const;
  std::span<const uint32_t> TermsOf(Ordinal document) const;
  void Accumulate(const Query& query, std::vector<float>& scores) const;

  StringMap<uint32_t> vocabulary_;
  std::vector<Term> terms_;
  std::vector<uint32_t> lengths_;  // by ordinal, in words
  std::vector<uint32_t> forward_;  // term numbers of all documents, one document after the other
  std::vector<uint64_t> forward_end_;  // by ordinal
  uint64_t alive_words_ = 0;
  uint64_t alive_documents_ = 0;
};

}  // namespace engram::memory
