// What recall finds, in which order, and why.
#include <algorithm>

#include "engram/memory/ranking.h"
#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class Recall : public EngineTest {};

TEST_F(Recall, SaysHowTheTextMatched) {
  ASSERT_TRUE(Store("m1", "the quick brown fox").ok());
  ASSERT_TRUE(Store("m2", "a lazy dog").ok());
  auto hits = EngineTest::Recall(MakeQuery("Foxes quickly unknown"));
  ASSERT_THAT(hits, SizeIs(1));
  EXPECT_EQ(hits[0].memory.content, "the quick brown fox");
  EXPECT_EQ(hits[0].why.text_rank, 1u);
  EXPECT_GT(hits[0].why.text_score, 0);
  EXPECT_THAT(hits[0].why.terms, UnorderedElementsAre("fox", "quick"));
  EXPECT_EQ(hits[0].why.vector_rank, 0u);
  EXPECT_DOUBLE_EQ(hits[0].score, 1);
  // Two of three words were found; the missing one counts at least as much as each.
  EXPECT_GT(hits[0].confidence, 0.2);
  EXPECT_LT(hits[0].confidence, 0.67);
}

TEST_F(Recall, FusesTextAndVector) {
  for (const auto& [id, content, embedding] :
       std::vector<std::tuple<std::string, std::string, std::vector<float>>>{
           {"both", "apples", {1, 0.1F}},
           {"text", "apples apples", {0, 1}},
           {"vector", "pears", {1, 0}},
           {"near", "plums", {1, -0.2F}}}) {
    StoreCommand command = MakeStore(id, content);
    command.embedding = embedding;
    ASSERT_TRUE(Store(command).ok());
  }
  RecallQuery query = MakeQuery("apples");
  query.embedding = {1, 0};
  auto hits = EngineTest::Recall(query);
  ASSERT_THAT(hits, SizeIs(4));
  EXPECT_EQ(hits[0].memory.id.value(), "both");
  EXPECT_EQ(hits[0].why.text_rank, 2u);
  EXPECT_EQ(hits[0].why.vector_rank, 2u);
  EXPECT_NEAR(hits[0].why.vector_score, 0.995, 1e-3);
  EXPECT_THAT(hits[0].memory.embedding, IsEmpty());
}

TEST_F(Recall, LinkedMemoryRanksBelowItsSourceAndNamesIt) {
  ASSERT_TRUE(Store("source", "apples").ok());
  ASSERT_TRUE(Store("linked", "cider").ok());
  ASSERT_TRUE(Store("second", "press").ok());
  ASSERT_TRUE(Store("other", "unrelated").ok());
  ASSERT_TRUE(Link("source", "linked", 1.0).ok());
  ASSERT_TRUE(Link("linked", "second", 1.0).ok());
  auto hits = EngineTest::Recall(MakeQuery("apples"));
  ASSERT_THAT(hits, SizeIs(3));
  EXPECT_EQ(hits[0].memory.id.value(), "source");
  EXPECT_THAT(hits[0].memory.links, ElementsAre(memory::Link{MemoryId("linked"), 1.0}));
  EXPECT_EQ(hits[1].memory.id.value(), "linked");
  EXPECT_EQ(hits[1].why.via.value(), "source");
  EXPECT_DOUBLE_EQ(hits[1].why.activation, 0.5);
  EXPECT_EQ(hits[1].why.text_rank, 0u);
  EXPECT_EQ(hits[2].memory.id.value(), "second");
  EXPECT_EQ(hits[2].why.via.value(), "linked");
  EXPECT_GT(hits[0].score, hits[1].score);
  EXPECT_GT(hits[1].score, hits[2].score);
  EXPECT_GT(hits[1].confidence, hits[2].confidence);
}

TEST_F(Recall, ManyLinksDoNotLiftAMemoryOverTheBestDirectHit) {
  ASSERT_TRUE(Store("best", "apples apples").ok());
  ASSERT_TRUE(Store("hub", "nothing of the kind").ok());
  for (int i = 0; i < 20; ++i) {
    StoreCommand command = MakeStore("m" + std::to_string(i), "apples and some more words");
    command.links = {{MemoryId("hub"), 1.0}};
    ASSERT_TRUE(Store(command).ok());
  }
  RecallQuery query = MakeQuery("apples");
  query.limit = 30;
  auto hits = EngineTest::Recall(query);
  EXPECT_EQ(hits[0].memory.id.value(), "best");
  auto hub = std::find_if(hits.begin(), hits.end(),
                          [](const RecallHit& hit) { return hit.memory.id.value() == "hub"; });
  auto source = std::find_if(hits.begin(), hits.end(), [&](const RecallHit& hit) {
    return hub != hits.end() && hit.memory.id == hub->why.via;
  });
  ASSERT_NE(hub, hits.end());
  EXPECT_LT(source, hub);
}

TEST_F(Recall, ForgottenTargetsAndDanglingLinksAreNotResults) {
  StoreCommand command = MakeStore("source", "apples");
  command.links = {{MemoryId("absent"), 1.0}, {MemoryId("gone"), 1.0}};
  ASSERT_TRUE(Store(command).ok());
  ASSERT_TRUE(Store("gone", "cider").ok());
  ASSERT_TRUE(Forget("gone").ok());
  EXPECT_THAT(RecallIds("apples"), ElementsAre("source"));
}

TEST_F(Recall, FilterHoldsForLinkedMemoriesToo) {
  StoreCommand source = MakeStore("source", "apples");
  source.tags = {"t"};
  source.links = {{MemoryId("tagged"), 1.0}, {MemoryId("untagged"), 1.0}};
  ASSERT_TRUE(Store(source).ok());
  StoreCommand tagged = MakeStore("tagged", "cider");
  tagged.tags = {"t"};
  ASSERT_TRUE(Store(tagged).ok());
  ASSERT_TRUE(Store("untagged", "juice").ok());
  RecallQuery query = MakeQuery("apples");
  query.tags = {"t"};
  EXPECT_THAT(RecallIds(query), ElementsAre("source", "tagged"));
}

TEST_F(Recall, LimitIsHeld) {
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(Store("m" + std::to_string(i), "apples").ok());
  RecallQuery query = MakeQuery("apples");
  query.limit = 7;
  EXPECT_THAT(RecallIds(query), SizeIs(7));
}

TEST_F(Recall, ConfidenceOfTheMemoryCounts) {
  StoreCommand command = MakeStore("m1", "apples");
  command.confidence = 0.5;
  ASSERT_TRUE(Store(command).ok());
  EXPECT_DOUBLE_EQ(EngineTest::Recall(MakeQuery("apples"))[0].confidence, 0.5);
}

TEST_F(Recall, MinConfidenceHoldsForTheConfidenceShown) {
  ASSERT_TRUE(Store("whole", "apples and pears").ok());
  ASSERT_TRUE(Store("half", "apples").ok());
  StoreCommand doubted = MakeStore("doubted", "apples and pears");
  doubted.confidence = 0.4;
  ASSERT_TRUE(Store(doubted).ok());
  RecallQuery query = MakeQuery("apples pears");
  EXPECT_THAT(RecallIds(query), UnorderedElementsAre("whole", "half", "doubted"));
  query.min_confidence = 0.9;
  EXPECT_THAT(RecallIds(query), ElementsAre("whole"));
  query.min_confidence = 1;  // reached by a memory that has every word
  EXPECT_THAT(RecallIds(query), ElementsAre("whole"));
}

TEST_F(Recall, MinConfidenceHoldsForLinkedMemoriesToo) {
  ASSERT_TRUE(Store("source", "apples").ok());
  ASSERT_TRUE(Store("linked", "cider").ok());
  ASSERT_TRUE(Link("source", "linked", 0.5).ok());
  RecallQuery query = MakeQuery("apples");
  EXPECT_THAT(RecallIds(query), ElementsAre("source", "linked"));
  query.min_confidence = 0.9;
  EXPECT_THAT(RecallIds(query), ElementsAre("source"));
}

TEST_F(Recall, WhatMinConfidenceDropsLeavesRoomForTheNext) {
  // By text these rank first, by the confidence shown they fall below.
  for (int i = 0; i < 20; ++i) {
    StoreCommand command = MakeStore("doubted" + std::to_string(i), "apples pears");
    command.confidence = 0.7;
    command.embedding = {1, 0.5F};
    ASSERT_TRUE(Store(command).ok());
  }
  for (int i = 0; i < 5; ++i) {
    StoreCommand command = MakeStore("sure" + std::to_string(i), "pears and many more words");
    command.embedding = {1, 0};
    ASSERT_TRUE(Store(command).ok());
  }
  RecallQuery query = MakeQuery("apples pears unknown");
  query.embedding = {1, 0};
  query.limit = 3;
  query.min_confidence = 0.69;
  for (const RecallHit& hit : EngineTest::Recall(query)) {
    EXPECT_GE(hit.confidence, query.min_confidence) << hit.memory.id.view();
  }
  EXPECT_THAT(RecallIds(query), ElementsAre("sure0", "sure1", "sure2"));
}

TEST_F(Recall, WrongDimensionIsRefused) {
  StoreCommand command = MakeStore("m1", "apples");
  command.embedding = {1, 0};
  ASSERT_TRUE(Store(command).ok());
  RecallQuery query = MakeQuery("");
  query.embedding = {1, 0, 0};
  EXPECT_EQ(InvalidField(engine_->Recall(query)), "embedding");
}

TEST_F(Recall, EmbeddingInASpaceWithoutAnyFindsNothing) {
  ASSERT_TRUE(Store("m1", "apples").ok());
  RecallQuery query = MakeQuery("");
  query.embedding = {1, 0, 0};
  EXPECT_THAT(RecallIds(query), IsEmpty());
}

// Random memories and filters: the first hits are those that an unlimited recall, filtered by hand,
// begins with.
TEST_F(Recall, FilteredRecallFindsTheBestThatPass) {
  std::mt19937_64 random(99);
  for (int i = 0; i < 1500; ++i) {
    std::string content;
    for (int words = 0; words < 8; ++words) {
      content += static_cast<char>('a' + std::min(random() % 26, random() % 26));
      content += ' ';
    }
    StoreCommand command = MakeStore("m" + std::to_string(i), content);
    for (size_t left = random() % 3; left > 0; --left) {
      command.tags.emplace_back(1, static_cast<char>('a' + random() % 4));
    }
    command.metadata = {{"k", std::string(1, 'a' + random() % 3)}};
    command.kind = random() % 2 == 0 ? Kind::kEpisodic : Kind::kSemantic;
    command.occurred_at = WallMillis{static_cast<int64_t>(random() % 1000)};
    command.confidence = static_cast<double>(random() % 11) / 10;
    ASSERT_TRUE(Store(command).ok());
  }
  for (int i = 0; i < 60; ++i) {
    RecallQuery query =
        MakeQuery(std::string(1, 'a' + random() % 26) + " " + std::string(1, 'a' + random() % 26));
    query.limit = 1000;
    const std::vector<RecallHit> all = EngineTest::Recall(query);
    query.limit = 10;
    if (random() % 2 == 0) query.tags = {std::string(1, 'a' + random() % 4)};
    if (random() % 2 == 0) query.metadata = {{"k", std::string(1, 'a' + random() % 3)}};
    if (random() % 2 == 0) query.kind = Kind::kSemantic;
    if (random() % 2 == 0) query.after = WallMillis{300};
    if (random() % 2 == 0) query.before = WallMillis{700};
    if (random() % 2 == 0) query.min_confidence = 0.5;
    std::vector<std::string> expected;
    for (const RecallHit& hit : all) {
      if (expected.size() < 10 && Passes(query, hit.memory) &&
          hit.confidence >= query.min_confidence) {
        expected.push_back(hit.memory.id.value());
      }
    }
    // What the unlimited recall cut off could have filled the rest.
    if (expected.size() < 10 && all.size() == 1000) continue;
    EXPECT_EQ(RecallIds(query), expected);
  }
}

TEST_F(Recall, SameAnswerBeforeAndAfterReopening) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 300; ++i) {
    StoreCommand command = MakeStore("m" + std::to_string(random() % 200), "");
    for (int words = 0; words < 6; ++words) {
      command.content += static_cast<char>('a' + random() % 8);
      command.content += ' ';
    }
    command.embedding = {static_cast<float>(random() % 7) + 1, static_cast<float>(random() % 7)};
    const MemoryId target("m" + std::to_string(random() % 200));
    if (target != *command.id) command.links = {{target, 0.7}};
    ASSERT_TRUE(Store(command).ok());
    if (i % 10 == 9) (void)Forget("m" + std::to_string(random() % 200));
  }
  auto answers = [&] {
    std::vector<std::pair<std::string, double>> all;
    for (const char* text : {"a", "b c", "d e f", "g h"}) {
      RecallQuery query = MakeQuery(text);
      query.embedding = {1, 1};
      query.limit = 50;
      for (const RecallHit& hit : EngineTest::Recall(query)) {
        all.emplace_back(hit.memory.id.value(), hit.score);
      }
    }
    return all;
  };
  const auto before = answers();
  Open();
  EXPECT_EQ(answers(), before);
}

}  // namespace
}  // namespace engram::memory
