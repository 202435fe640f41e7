#include "engram/memory/near_duplicates.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <random>
#include <string>

namespace engram::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Given {
  std::string id;
  std::string content;
  std::vector<float> embedding;
};

class Groups {
 public:
  explicit Groups(SimilarityOptions options = {}) : duplicates_(options) {}
  Groups& Add(const Given& given) {
    duplicates_.Add({MemoryId(given.id), given.content, given.embedding});
    return *this;
  }
  // "a b c" for each group.
  std::vector<std::string> Take() {
    std::vector<std::string> names;
    for (const DuplicateGroup& group : duplicates_.Take()) {
      std::string& name = names.emplace_back();
      for (const GroupMember& member : group) {
        name += (name.empty() ? "" : " ") + member.id.value();
      }
    }
    return names;
  }
  NearDuplicates& duplicates() { return duplicates_; }

 private:
  NearDuplicates duplicates_;
};

// A unit vector in the plane.
std::vector<float> At(double degrees) {
  const double radians = degrees * std::numbers::pi / 180;
  return {static_cast<float>(std::cos(radians)), static_cast<float>(std::sin(radians))};
}

constexpr double kAngleAtThreshold = 18.1948;  // cosine 0.95

TEST(NearDuplicates, GroupsTextsThatSayTheSame) {
  Groups groups;
  groups.Add({"a", "The user prefers dark mode.", {}})
      .Add({"b", "Berlin is the capital of Germany", {}})
      .Add({"c", "user prefers dark mode", {}})
      .Add({"d", "berlin is the capital of germany!", {}})
      .Add({"e", "something else altogether", {}});
  EXPECT_THAT(groups.Take(), ElementsAre("a c", "b d"));
}

TEST(NearDuplicates, AloneIsNoGroup) {
  EXPECT_THAT(Groups().Take(), IsEmpty());
  EXPECT_THAT(Groups().Add({"a", "text", {}}).Take(), IsEmpty());
}

TEST(NearDuplicates, EmbeddingsDecideWhereBothHaveOne) {
  Groups groups;
  groups.Add({"a", "same words", At(0)})
      .Add({"b", "same words", At(90)})
      .Add({"c", "quite different ones", At(1)});
  EXPECT_THAT(groups.Take(), ElementsAre("a c"));
}

TEST(NearDuplicates, TextDecidesWhereOneHasNoEmbeddingOrAnotherDimension) {
  Groups groups;
  groups.Add({"a", "same words", At(0)})
      .Add({"b", "same words", {}})
      .Add({"c", "other text", At(90)})
      .Add({"d", "other text", {1, 2, 3}});
  EXPECT_THAT(groups.Take(), ElementsAre("a b", "c d"));
}

TEST(NearDuplicates, AtTheThresholdIsAGroupBelowIsNone) {
  Groups at;
  at.Add({"a", "x", At(0)}).Add({"b", "y", At(kAngleAtThreshold - 0.01)});
  EXPECT_THAT(at.Take(), ElementsAre("a b"));
  Groups below;
  below.Add({"a", "x", At(0)}).Add({"b", "y", At(kAngleAtThreshold + 0.01)});
  EXPECT_THAT(below.Take(), IsEmpty());
  // Four words and three pairs, of five and four.
  Groups text(SimilarityOptions{.text_min = 7.0 / 9});
  text.Add({"a", "one two three four", {}}).Add({"b", "one two three four five", {}});
  EXPECT_THAT(text.Take(), ElementsAre("a b"));
  Groups less(SimilarityOptions{.text_min = 7.0 / 9 + 1e-9});
  less.Add({"a", "one two three four", {}}).Add({"b", "one two three four five", {}});
  EXPECT_THAT(less.Take(), IsEmpty());
}

// Each is like its neighbours; the ends are opposite.
TEST(NearDuplicates, AChainOfSmallStepsIsNotOneGroup) {
  Groups groups;
  for (int i = 0; i < 19; ++i) {
    groups.Add({fmt::format("{:02}", i), "text", At(10.0 * i)});
  }
  EXPECT_THAT(groups.Take(), ElementsAre("00 01", "02 03", "04 05", "06 07", "08 09", "10 11",
                                         "12 13", "14 15", "16 17"));
}

TEST(NearDuplicates, JoinsTheLeaderItIsMostLike) {
  Groups groups;
  groups.Add({"a", "x", At(0)}).Add({"b", "x", At(30)}).Add({"c", "x", At(16)});
  EXPECT_THAT(groups.Take(), ElementsAre("b c"));
}

TEST(NearDuplicates, OneThatComesLaterChangesNoGroupButByJoining) {
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal;
  Groups before;
  Groups after;
  for (int i = 0; i < 300; ++i) {
    const Given given{fmt::format("{:04}", i), "text", {normal(random), normal(random)}};
    before.Add(given);
    after.Add(given);
  }
  after.Add({"9999", "text", {1, 0}});
  const auto groups = before.Take();
  const auto grown = after.Take();
  ASSERT_EQ(grown.size(), groups.size());
  for (size_t i = 0; i < groups.size(); ++i) EXPECT_TRUE(grown[i].starts_with(groups[i]));
}

TEST(NearDuplicates, AFullGroupIsFollowedByAnother) {
  NearDuplicates duplicates({});
  constexpr size_t kGroups = 70;  // more than there is room for under one key
  std::vector<std::string> ids;
  for (size_t i = 0; i < kGroups * NearDuplicates::kGroupMax; ++i) {
    duplicates.Add({MemoryId(fmt::format("{:06}", i)), "always the same", {}});
  }
  const auto groups = duplicates.Take();
  ASSERT_EQ(groups.size(), kGroups);
  for (const auto& group : groups) EXPECT_EQ(group.size(), NearDuplicates::kGroupMax);
}

// 10,000 episodes, every fifth a near-duplicate of an earlier one: nearly all are found, at a
// fraction of the 50,000,000 comparisons of all with all.
TEST(NearDuplicates, FindsThemWithFewComparisons) {
  constexpr int kEpisodes = 10'000;
  constexpr int kDimension = 64;
  std::mt19937_64 random(11);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> embeddings;
  Groups groups;
  int planted = 0;
  for (int i = 0; i < kEpisodes; ++i) {
    std::vector<float>& embedding = embeddings.emplace_back(kDimension);
    if (i % 5 == 4) {
      // At an angle whose cosine is 0.97 or so.
      const auto& original = embeddings[static_cast<size_t>(i - 4)];
      for (int j = 0; j < kDimension; ++j) {
        embedding[static_cast<size_t>(j)] =
            original[static_cast<size_t>(j)] + 0.25F * normal(random);
      }
      ++planted;
    } else {
      for (float& value : embedding) value = normal(random);
    }
    groups.Add({fmt::format("{:06}", i), fmt::format("word{} other{}", i, i), embedding});
  }
  EXPECT_LT(groups.duplicates().comparisons(), 50u * kEpisodes);
  EXPECT_GE(groups.Take().size(), static_cast<size_t>(0.97 * planted));
}

TEST(NearDuplicates, FindsTextsWithFewComparisons) {
  constexpr int kEpisodes = 10'000;
  std::mt19937_64 random(12);
  std::uniform_int_distribution<int> letter('a', 'z');
  auto word = [&] {
    std::string made;
    for (int i = 0; i < 6; ++i) made += static_cast<char>(letter(random));
    return made;
  };
  Groups groups;
  std::string last;
  for (int i = 0; i < kEpisodes; ++i) {
    // What all begin with makes them a little like each other.
    std::string text = "we talked again today about";
    for (int j = 0; j < 10; ++j) text += " " + word();
    if (i % 5 == 4) text = last + " " + word();
    groups.Add({fmt::format("{:06}", i), text, {}});
    last = text;
  }
  EXPECT_LT(groups.duplicates().comparisons(),
            uint64_t{NearDuplicates::kComparisonsMax} * kEpisodes);
  EXPECT_GE(groups.Take().size(), static_cast<size_t>(0.99 * kEpisodes / 5));
}

// The worst there is: all share keys, none is like enough.
TEST(NearDuplicates, TheWorkForOneEpisodeIsBounded) {
  constexpr uint64_t kEpisodes = 3'000;
  Groups groups(SimilarityOptions{.embedding_min = 1});
  for (uint64_t i = 0; i < kEpisodes; ++i) {
    groups.Add({fmt::format("{:06}", i), "text", At(0.01 * static_cast<double>(i))});
  }
  EXPECT_LE(groups.duplicates().comparisons(), NearDuplicates::kComparisonsMax * kEpisodes);
  EXPECT_LT(groups.duplicates().bytes(), 4096 * kEpisodes);
}

}  // namespace
}  // namespace engram::memory
