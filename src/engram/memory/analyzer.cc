#include "engram/memory/analyzer.h"

#include <libstemmer.h>
#include <unicode/brkiter.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/translit.h>
#include <unicode/ubrk.h>
#include <unicode/uscript.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "engram/memory/limits.h"
#include "engram/memory/utf8.h"

namespace engram::memory {
namespace {

// ICU's data and Snowball's tables are part of the installation; without them nothing works.
void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "engram: cannot set up %s\n", what);
  std::abort();
}

bool HasLatinBeyondAscii(std::string_view word) {
  const auto size = static_cast<int32_t>(word.size());
  for (int32_t i = 0; i < size;) {
    UChar32 letter = 0;
    U8_NEXT(word.data(), i, size, letter);
    if (letter < 0x80) continue;
    UErrorCode error = U_ZERO_ERROR;
    if (uscript_getScript(letter, &error) == USCRIPT_LATIN) return true;
  }
  return false;
}

// One thread's tools. ICU's break iterators and the stemmer hold state and must not be shared.
class WordBreaker {
 public:
  WordBreaker() {
    UErrorCode error = U_ZERO_ERROR;
    folding_ = icu::Normalizer2::getNFKCCasefoldInstance(error);
    Require(U_SUCCESS(error), "Unicode case folding");
    words_.reset(icu::BreakIterator::createWordInstance(icu::Locale::getEnglish(), error));
    Require(U_SUCCESS(error), "Unicode word breaking");
    stemmer_ = sb_stemmer_new("english", "UTF_8");
    Require(stemmer_ != nullptr, "the English stemmer");
  }
  ~WordBreaker() {
    sb_stemmer_delete(stemmer_);
    utext_close(text_);
  }
  WordBreaker(const WordBreaker&) = delete;
  WordBreaker& operator=(const WordBreaker&) = delete;

  std::vector<std::string> Terms(std::string_view utf8) {
    std::string folded = Fold(utf8);
    UErrorCode error = U_ZERO_ERROR;
    text_ = utext_openUTF8(text_, folded.data(), static_cast<int64_t>(folded.size()), &error);
    words_->setText(text_, error);
    Require(U_SUCCESS(error), "a text for word breaking");

    std::vector<std::string> terms;
    int32_t begin = words_->first();
    for (int32_t end = words_->next(); end != icu::BreakIterator::DONE; end = words_->next()) {
      // Below this status come spaces and punctuation.
      if (words_->getRuleStatus() >= UBRK_WORD_NONE_LIMIT) {
        terms.push_back(Term(std::string_view(folded).substr(static_cast<size_t>(begin),
                                                             static_cast<size_t>(end - begin))));
      }
      begin = end;
    }
    return terms;
  }

 private:
  std::string Fold(std::string_view utf8) {
    std::string folded;
    icu::StringByteSink<std::string> sink(&folded, static_cast<int32_t>(utf8.size()));
    UErrorCode error = U_ZERO_ERROR;
    folding_->normalizeUTF8(0, icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size())),
                            sink, nullptr, error);
    Require(U_SUCCESS(error), "case folding of a text");
    return folded;
  }

  std::string Term(std::string_view word) {
    return HasLatinBeyondAscii(word) ? Stem(WithoutDiacritics(word)) : Stem(word);
  }

  std::string WithoutDiacritics(std::string_view word) {
    word = CutAtCharacter(word, 4 * kTermBytesMax);  // a letter of four bytes may become one of one
    if (to_ascii_ == nullptr) {
      UErrorCode error = U_ZERO_ERROR;
      to_ascii_.reset(icu::Transliterator::createInstance("Latin-ASCII", UTRANS_FORWARD, error));
      Require(U_SUCCESS(error), "the transliteration of Latin letters");
    }
    icu::UnicodeString letters = icu::UnicodeString::fromUTF8(
        icu::StringPiece(word.data(), static_cast<int32_t>(word.size())));
    to_ascii_->transliterate(letters);
    std::string plain;
    letters.toUTF8String(plain);
    return plain;
  }

  std::string Stem(std::string_view word) {
    word = CutAtCharacter(word, kTermBytesMax);
    const sb_symbol* stem = sb_stemmer_stem(
        stemmer_, reinterpret_cast<const sb_symbol*>(word.data()), static_cast<int>(word.size()));
    Require(stem != nullptr, "a stem: out of memory");
    return std::string(reinterpret_cast<const char*>(stem),
                       static_cast<size_t>(sb_stemmer_length(stemmer_)));
  }

  const icu::Normalizer2* folding_ = nullptr;  // a singleton of ICU's
  std::unique_ptr<icu::BreakIterator> words_;
  std::unique_ptr<icu::Transliterator> to_ascii_;  // made at the first word that needs it
  sb_stemmer* stemmer_ = nullptr;
  UText* text_ = nullptr;
};

}  // namespace

std::vector<std::string> TermsOf(std::string_view text) {
  thread_local WordBreaker breaker;
  return breaker.Terms(text);
}

AnalyzedText Analyze(std::string_view text) {
  std::vector<std::string> terms = TermsOf(text);
  std::sort(terms.begin(), terms.end());
  AnalyzedText analyzed;
  analyzed.length = static_cast<uint32_t>(terms.size());
  for (std::string& term : terms) {
    if (analyzed.terms.empty() || analyzed.terms.back().term != term) {
      analyzed.terms.push_back({std::move(term), 0});
    }
    ++analyzed.terms.back().count;
  }
  return analyzed;
}

}  // namespace engram::memory
