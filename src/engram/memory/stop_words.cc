#include "engram/memory/stop_words.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace engram::memory {
namespace {

// Lucene's English stop words, question words, pronouns and auxiliary verbs.
constexpr std::string_view kFunctionWords =
    "what when where who whom whose which why how "
    "do does did doing have has had having "
    "i me my we us our you your he him his she her it its they them their "
    "am is are was were be been being can could should would will shall may might must "
    "a an and as at but by for from if in into no not of on or such that the then there these this "
    "those to with about than so too very";

bool IsFunctionWord(const TermCount& counted) {
  // Stems, as a query has them. Never destroyed, for threads may outlive static objects.
  static const auto& stems = *[] {
    auto* set = new absl::flat_hash_set<std::string>;
    for (TermCount& word : Analyze(kFunctionWords).terms) set->insert(std::move(word.term));
    return set;
  }();
  return stems.contains(counted.term);
}

}  // namespace

AnalyzedText WithoutFunctionWords(AnalyzedText query) {
  if (std::all_of(query.terms.begin(), query.terms.end(), IsFunctionWord)) return query;
  std::erase_if(query.terms, IsFunctionWord);
  query.length = 0;
  for (const TermCount& counted : query.terms) query.length += counted.count;
  return query;
}

}  // namespace engram::memory
