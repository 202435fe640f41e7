#include "engram/memory/text_index.h"

#include <algorithm>

#include "engram/memory/term_weights.h"

namespace engram::memory {
namespace {

constexpr double kK1 = 1.2;
constexpr double kB = 0.75;

// One thread's accumulators, all zero between searches.
std::vector<float>& Scratch(size_t size) {
  thread_local std::vector<float> scores;
  if (scores.size() < size) scores.resize(size);
  return scores;
}

}  // namespace

void TextIndex::Add(Ordinal document, const AnalyzedText& text) {
  for (const TermCount& counted : text.terms) {
    auto [entry, is_new] =
        vocabulary_.try_emplace(counted.term, static_cast<uint32_t>(terms_.size()));
    if (is_new) terms_.emplace_back();
    Term& term = terms_[entry->second];
    term.postings.push_back({document, counted.count});
    ++term.alive;
    forward_.push_back(entry->second);
  }
  forward_end_.push_back(forward_.size());
  lengths_.push_back(text.length);
  alive_words_ += text.length;
  ++alive_documents_;
}

void TextIndex::Remove(Ordinal document) {
  for (uint32_t term : TermsOf(document)) --terms_[term].alive;
  alive_words_ -= lengths_[document];
  --alive_documents_;
}

std::span<const uint32_t> TextIndex::TermsOf(Ordinal document) const {
  const uint64_t begin = document == 0 ? 0 : forward_end_[document - 1];
  return std::span(forward_).subspan(begin, forward_end_[document] - begin);
}

const TextIndex::Term* TextIndex::Find(std::string_view term) const {
  auto found = vocabulary_.find(term);
  return found == vocabulary_.end() ? nullptr : &terms_[found->second];
}

TextStatistics TextIndex::StatisticsOf(const AnalyzedText& text) const {
  TextStatistics statistics{alive_documents_, alive_words_, {}};
  for (const TermCount& counted : text.terms) {
    const Term* term = Find(counted.term);
    statistics.with_term.push_back(term == nullptr ? 0 : term->alive);
  }
  return statistics;
}

TextIndex::Query TextIndex::Prepare(const AnalyzedText& text,
                                    const TextStatistics& statistics) const {
  const TermWeights weights = Weigh(statistics);
  Query query{{}, weights.idf_sum, weights.average_length};
  for (const TermWeight& weight : weights.known) {
    const Term* term = Find(text.terms[weight.position].term);
    if (term == nullptr) continue;  // only other spaces have it
    query.terms.push_back(
        {static_cast<uint32_t>(term - terms_.data()), weight.idf, weight.position});
  }
  return query;
}

void TextIndex::Accumulate(const Query& query, std::vector<float>& scores) const {
  const auto norm_base = static_cast<float>(kK1 * (1 - kB));
  const auto norm_per_word = static_cast<float>(kK1 * kB / query.average_length);
  for (const QueryTerm& asked : query.terms) {
    const auto weight = static_cast<float>(asked.idf * (kK1 + 1));
    for (const Posting& posting : terms_[asked.term].postings) {
      const auto count = static_cast<float>(posting.count);
      const auto length = static_cast<float>(lengths_[posting.document]);
      scores[posting.document] += weight * count / (count + norm_base + norm_per_word * length);
    }
  }
}

std::vector<ScoredDocument> TextIndex::Search(const Query& query, const DocumentTable& documents,
                                              const Filter& filter, size_t k) const {
  if (query.terms.empty()) return {};
  std::vector<float>& scores = Scratch(lengths_.size());
  Accumulate(query, scores);
  TopK best(documents, k);
  for (Ordinal document = 0; document < lengths_.size(); ++document) {
    const float score = scores[document];
    scores[document] = 0;
    if (score <= 0 || score < best.threshold()) continue;
    if (documents.Passes(document, filter)) best.Offer(document, score);
  }
  return best.Take();
}

std::vector<TextIndex::QueryTerm> TextIndex::Matches(const Query& query, Ordinal document) const {
  std::span<const uint32_t> terms = TermsOf(document);
  std::vector<QueryTerm> matches;
  for (const QueryTerm& asked : query.terms) {
    if (std::find(terms.begin(), terms.end(), asked.term) != terms.end()) matches.push_back(asked);
  }
  return matches;
}

}  // namespace engram::memory
