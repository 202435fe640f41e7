#include "engram/memory/analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/memory/limits.h"
#include "engram/memory/utf8.h"

namespace engram::memory {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Terms(std::string_view text) {
  std::vector<std::string> terms;
  for (TermCount& counted : Analyze(text).terms) terms.push_back(std::move(counted.term));
  return terms;
}

TEST(Analyze, CountsStems) {
  const AnalyzedText text = Analyze("The cats ran; a cat runs, running.");
  EXPECT_THAT(text.terms, ElementsAre(TermCount{"a", 1}, TermCount{"cat", 2}, TermCount{"ran", 1},
                                      TermCount{"run", 2}, TermCount{"the", 1}));
  EXPECT_EQ(text.length, 7u);
}

TEST(Analyze, FoldsCaseAndWidthAndComposition) {
  EXPECT_EQ(Terms("CAFÉ"), Terms("cafe\u0301"));
  EXPECT_EQ(Terms("STRASSE"), Terms("straße"));
  EXPECT_EQ(Terms("ＡＢＣ"), Terms("abc"));
}

TEST(Analyze, FindsLatinLettersWithAndWithoutDiacritics) {
  for (const auto& [with, without] :
       std::vector<std::pair<const char*, const char*>>{{"Café", "cafe"},
                                                        {"cafe\u0301", "cafe"},
                                                        {"naïve", "naive"},
                                                        {"béchamel", "bechamel"},
                                                        {"Ærøskøbing", "aeroskobing"},
                                                        {"Łódź", "lodz"},
                                                        {"señores", "senores"},
                                                        {"phở", "pho"}}) {
    EXPECT_EQ(Terms(with), Terms(without));
  }
  // A letter that grows is still cut to the limit.
  std::string grows;
  while (grows.size() < 2 * kTermBytesMax) grows += "æ";
  for (const std::string& term : Terms(grows)) EXPECT_LE(term.size(), kTermBytesMax);
}

TEST(Analyze, LeavesTheMarksOfOtherScripts) {
  // Vowel signs, tones and dots that tell words apart.
  EXPECT_THAT(Terms("हिन्दी"), ElementsAre("हिन्दी"));
  EXPECT_NE(Terms("कि"), Terms("की"));
  EXPECT_NE(Terms("ไม้"), Terms("ไม"));
  EXPECT_NE(Terms("мой"), Terms("мои"));
  EXPECT_NE(Terms("がき"), Terms("かき"));
  EXPECT_NE(Terms("ή"), Terms("η"));
  EXPECT_THAT(Terms("café हिन्दी мой"), ElementsAre("cafe", "мой", "हिन्दी"));
}

TEST(Analyze, KeepsWordsOfOtherScripts) {
  EXPECT_THAT(Terms("Привет, мир"), ElementsAre("мир", "привет"));
  EXPECT_THAT(Terms("Ünïcödé 42"), Contains("42"));
}

TEST(Analyze, BreaksTextsWithoutSpaces) {
  EXPECT_THAT(Terms("我喜欢吃苹果"), Contains("苹果"));
  EXPECT_THAT(Terms("ภาษาไทยง่ายนิดเดียว"), Contains("ภาษา"));
}

TEST(Analyze, DropsWhatIsNoWord) {
  EXPECT_THAT(Terms(" ... !? --- \t\n"), IsEmpty());
  EXPECT_THAT(Terms(""), IsEmpty());
  EXPECT_EQ(Analyze("!!!").length, 0u);
}

TEST(Analyze, CutsLongWordsAtACharacter) {
  std::string word;
  for (int i = 0; i < 100; ++i) word += "ж";  // two bytes each
  for (const std::string& term : Terms("x" + word)) {
    EXPECT_LE(term.size(), kTermBytesMax);
    EXPECT_TRUE(IsValidUtf8(term));
  }
}

TEST(Analyze, TakesContentOfFullSize) {
  std::string content;
  while (content.size() + 8 < kContentBytesMax) content += "word 语 ";
  EXPECT_THAT(Terms(content), ElementsAre("word", "语"));
}

TEST(Utf8, KnowsWhatIsValid) {
  for (std::string_view valid : {"", "ascii", "é", "語", "😀"}) EXPECT_TRUE(IsValidUtf8(valid));
  // A lone continuation, a cut character, an overlong slash, a surrogate, above the last character.
  for (std::string_view invalid :
       {"\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(IsValidUtf8(invalid));
  }
}

TEST(Utf8, CutsOnlyBetweenCharacters) {
  EXPECT_EQ(CutAtCharacter("aé", 2), "a");
  EXPECT_EQ(CutAtCharacter("aé", 3), "aé");
  EXPECT_EQ(CutAtCharacter("😀", 3), "");
}

}  // namespace
}  // namespace engram::memory
