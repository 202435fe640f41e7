#include "engram/memory/text_features.h"

#include <gtest/gtest.h>

#include <string>

namespace engram::memory {
namespace {

double Similarity(std::string_view a, std::string_view b) {
  return TextSimilarity(FeaturesOf(a), FeaturesOf(b));
}

TEST(TextFeatures, SameWordsAreTheSame) {
  EXPECT_EQ(Similarity("The user prefers tea.", "the user PREFERS tea"), 1);
  EXPECT_EQ(Similarity("naïve walks", "naive walk"), 1);
}

TEST(TextFeatures, SharedWordsAndPairsOverAll) {
  // {a b c ab bc} and {a b d ab bd}: 3 of 7.
  EXPECT_DOUBLE_EQ(Similarity("alpha beta gamma", "alpha beta delta"), 3.0 / 7);
  EXPECT_EQ(Similarity("alpha beta", "gamma delta"), 0);
}

TEST(TextFeatures, OrderTells) { EXPECT_LT(Similarity("dog bites man", "man bites dog"), 0.75); }

TEST(TextFeatures, ANumberOrANegationMoreIsAnotherFact) {
  const std::string common =
      "the doctor said at the last visit in spring that the old user of the "
      "house in the green valley is allergic to every kind of nut";
  EXPECT_GT(Similarity(common, common + " today"), 0.9);
  EXPECT_EQ(Similarity(common, common + " since 2021"), 0);
  EXPECT_EQ(Similarity(common + " since 2020", common + " since 2021"), 0);
  EXPECT_EQ(Similarity(common, "it is not true that " + common), 0);
  EXPECT_EQ(Similarity("she does like the long walk home", "she doesn't like the long walk home"),
            0);
  EXPECT_GT(Similarity("seen in 2020 and 2021", "in 2020 and 2021 seen"), 0);
}

TEST(TextFeatures, WithoutWordsOnlyTheSameIsTheSame) {
  EXPECT_EQ(Similarity("!!!", "!!!"), 1);
  EXPECT_EQ(Similarity("!!!", "???"), 0);
}

TEST(TextFeatures, LongTextsKeepASketchThatEstimates) {
  std::string a;
  std::string b;
  for (int i = 0; i < 20'000; ++i) {
    std::string word;
    for (int n = i; n > 0 || word.empty(); n /= 20) word += static_cast<char>('b' + n % 20);
    a += word + "q ";
    b += word + (i % 10 == 0 ? "x " : "q ");
  }
  EXPECT_EQ(FeaturesOf(a).hashes.size(), kTextFeaturesMax);
  // 18,000 of 22,000 words and 16,000 of 24,000 pairs: 34,000 of 46,000.
  EXPECT_NEAR(Similarity(a, b), 34.0 / 46, 0.04);
  EXPECT_EQ(Similarity(a, a), 1);
}

}  // namespace
}  // namespace engram::memory
