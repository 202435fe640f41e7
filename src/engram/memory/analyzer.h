// From text to the terms that are indexed and looked for.
//
// NFKC case folding (Unicode Standard Annex #15), words by Unicode's word boundaries (Annex #29,
// ICU; dictionaries for Chinese, Japanese and Thai), those with a letter or digit kept, Latin
// letters without their diacritics (ICU's Latin-ASCII; the marks of other scripts tell words apart
// and stay), stemmed by Snowball's English stemmer. No stop words are dropped: every word can be
// looked for; a query leaves out those that tell nothing (stop_words.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace engram::memory {

struct TermCount {
  std::string term;
  uint32_t count = 0;
  friend bool operator==(const TermCount&, const TermCount&) = default;
};

struct AnalyzedText {
  std::vector<TermCount> terms;  // by term, each once
  uint32_t length = 0;           // words in all: the sum of the counts
};

// REQUIRES: `text` is valid UTF-8. Thread-safe; each thread keeps its own word breaker and stemmer,
// a few hundred KB.
AnalyzedText Analyze(std::string_view text);

// The terms in the order of the text. REQUIRES: likewise.
std::vector<std::string> TermsOf(std::string_view text);

}  // namespace engram::memory
