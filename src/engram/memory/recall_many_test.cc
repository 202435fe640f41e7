// A recall over several spaces finds what one space with all their memories would give, however the
// spaces are spread over nodes.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "engram/memory/merge.h"
#include "engram/memory/term_weights.h"
#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// One hit, as far as it can be compared: everything but the space.
struct Line {
  std::string id;
  double score;
  double confidence;
  std::string why;
  friend bool operator==(const Line&, const Line&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Line& line) {
    return out << line.id << " " << line.score << " " << line.confidence << " " << line.why;
  }
};

Line LineOf(const std::string& id, double score, double confidence, const Why& why) {
  std::string text =
      fmt::format("text {} #{} vector {} #{} via {} {} terms", why.text_score, why.text_rank,
                  why.vector_score, why.vector_rank, why.via.view(), why.activation);
  for (const std::string& term : why.terms) text += " " + term;
  return {id, score, confidence, text};
}

class RecallMany : public EngineTest {
 protected:
  // Memories that are in the big space "all" and, each, in one of the small ones "s0", "s1", ...
  void Fill(int memories, int spaces) {
    for (int i = 0; i < memories; ++i) {
      StoreCommand command = MakeStore("m" + std::to_string(i), RandomWords(4 + random_() % 12));
      if (random_() % 3 != 0) command.embedding = RandomEmbedding();
      command.confidence = static_cast<double>(5 + random_() % 6) / 10;
      if (random_() % 4 == 0) command.tags = {"rare"};
      const int target = i - spaces * static_cast<int>(1 + random_() % 5);  // in the same space
      if (target >= 0) {
        command.links = {
            {MemoryId("m" + std::to_string(target)), static_cast<double>(1 + random_() % 10) / 10}};
      }
      StoreIn("all", command);
      StoreIn("s" + std::to_string(i % spaces), command);
    }
    for (int i = 0; i < spaces; ++i) small_.emplace_back("s" + std::to_string(i));
  }

  void StoreIn(const std::string& space, StoreCommand command) {
    command.space = SpaceId(space);
    command.identity = NewIdentity();
    ASSERT_TRUE(Store(std::move(command)).ok());
  }

  std::string RandomWords(size_t count) {
    std::string text;
    for (; count > 0; --count) {
      text += "w" + std::to_string(std::min(random_() % 40, random_() % 40)) + " ";
    }
    return text;
  }

  std::vector<float> RandomEmbedding() {
    std::vector<float> numbers;
    for (int i = 0; i < 4; ++i) numbers.push_back(static_cast<float>(random_() % 21) - 10 + 0.5F);
    return numbers;
  }

  RecallQuery RandomQuery() {
    RecallQuery query = MakeQuery(RandomWords(random_() % 4));
    if (query.text.empty() || random_() % 2 == 0) query.embedding = RandomEmbedding();
    query.limit = 1 + static_cast<uint32_t>(random_() % 20);
    if (random_() % 4 == 0) query.tags = {"rare"};
    if (random_() % 4 == 0) query.min_confidence = 0.3;
    return query;
  }

  // The spaces dealt out to `nodes` in turn, as the node that merges does it.
  std::vector<Line> ThroughNodes(const RecallQuery& query, size_t nodes) {
    TextStatistics sum;
    for (auto& statistics : engine_->Survey(small_, query)) Add(*statistics, sum);
    std::vector<SpaceFindings> all;
    for (size_t node = 0; node < nodes; ++node) {
      std::vector<SpaceId> its;
      for (size_t i = node; i < small_.size(); i += nodes) its.push_back(small_[i]);
      auto found = engine_->Find(its, query, {.statistics = &sum});
      EXPECT_TRUE(found.ok()) << found.status();
      for (SpaceFindings& space : found->spaces) all.push_back(std::move(space));
    }
    return Lines(query, sum, all);
  }

  static std::vector<Line> Lines(const RecallQuery& query, const TextStatistics& statistics,
                                 const std::vector<SpaceFindings>& all) {
    std::vector<Line> lines;
    for (const MergedHit& hit : Merge(RankingQuery(query), statistics, all)) {
      if (lines.size() == query.limit) break;
      const Found& found = all[hit.space].found[hit.found];
      lines.push_back(LineOf(found.id.value(), hit.score, found.confidence * hit.match, hit.why));
    }
    return lines;
  }

  std::vector<Line> FromOneSpace(RecallQuery query, const std::string& space) {
    query.space = SpaceId(space);
    std::vector<Line> lines;
    for (const RecallHit& hit : EngineTest::Recall(query)) {
      lines.push_back(LineOf(hit.memory.id.value(), hit.score, hit.confidence, hit.why));
    }
    return lines;
  }

  std::vector<SpaceId> small_;
};

TEST_F(RecallMany, SummedStatisticsAreThoseOfOneBigSpace) {
  Fill(60, 3);
  const RecallQuery query = MakeQuery("w1 w2 w30 unheard");
  TextStatistics sum;
  for (auto& statistics : engine_->Survey(small_, query)) {
    ASSERT_TRUE(statistics.ok());
    EXPECT_EQ(statistics->documents, 20u);
    Add(*statistics, sum);
  }
  const SpaceId all("all");
  EXPECT_EQ(sum, *engine_->Survey({&all, 1}, query).front());
  EXPECT_EQ(sum.documents, 60u);
}

TEST_F(RecallMany, OneSpaceIsAnsweredAsByRecall) {
  Fill(400, 2);
  for (int i = 0; i < 60; ++i) {
    const RecallQuery query = RandomQuery();
    const SpaceId all("all");
    auto found = engine_->Find({&all, 1}, query, {});
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(Lines(query, found->statistics, found->spaces), FromOneSpace(query, "all"))
        << "query " << i << " '" << query.text << "'";
  }
}

TEST_F(RecallMany, SpacesSpreadOverNodesAreRankedAsOneBigSpace) {
  Fill(1500, 6);
  for (int i = 0; i < 60; ++i) {
    const RecallQuery query = RandomQuery();
    const std::vector<Line> expected = FromOneSpace(query, "all");
    EXPECT_FALSE(expected.empty());
    for (size_t nodes : {1, 2, 3, 6}) {
      EXPECT_EQ(ThroughNodes(query, nodes), expected)
          << "query " << i << " '" << query.text << "', " << nodes << " nodes";
    }
  }
}

TEST_F(RecallMany, EqualScoresAreOrderedByIdThenBySpace) {
  for (const char* space : {"s1", "s0"}) {
    for (const char* id : {"b", "a", "aa"}) StoreIn(space, MakeStore(id, "same words"));
  }
  const std::vector<SpaceId> spaces = {SpaceId("s1"), SpaceId("s0")};
  const RecallQuery query = MakeQuery("words");
  auto found = engine_->Find(spaces, query, {});
  std::vector<std::string> order;
  for (const MergedHit& hit : Merge(RankingQuery(query), found->statistics, found->spaces)) {
    const SpaceFindings& in = found->spaces[hit.space];
    order.push_back(in.found[hit.found].id.value() + "@" + in.space.value());
  }
  EXPECT_THAT(order, ElementsAre("a@s0", "a@s1", "aa@s0", "aa@s1", "b@s0", "b@s1"));
}

TEST_F(RecallMany, AWordThatIsRareInOneSpaceButCommonInAllWeighsLittle) {
  // "tea" is in one of a's memories and in all of b's: alone, a's would look special.
  StoreIn("a", MakeStore("a0", "tea"));
  for (int i = 1; i < 10; ++i) StoreIn("a", MakeStore("a" + std::to_string(i), "kettle"));
  for (int i = 0; i < 10; ++i) StoreIn("b", MakeStore("b" + std::to_string(i), "tea"));
  const std::vector<SpaceId> spaces = {SpaceId("a"), SpaceId("b")};
  auto found = engine_->Find(spaces, MakeQuery("tea"), {});
  EXPECT_EQ(found->spaces[0].found[0].text_score, found->spaces[1].found[0].text_score);
}

TEST_F(RecallMany, ASpaceThatCannotBeSearchedSaysSoAndTheOthersAnswer) {
  StoreCommand wide = MakeStore("m", "apples");
  wide.embedding = {1, 0, 0};
  StoreIn("wide", wide);
  StoreCommand narrow = MakeStore("m", "apples");
  narrow.embedding = {1, 0};
  StoreIn("narrow", narrow);
  RecallQuery query = MakeQuery("apples");
  query.embedding = {1, 0};
  const std::vector<SpaceId> spaces = {SpaceId("wide"), SpaceId("absent"), SpaceId("narrow")};
  auto found = engine_->Find(spaces, query, {});
  ASSERT_TRUE(found.ok()) << found.status();
  std::map<std::string, const SpaceFindings*> by_name;
  for (const SpaceFindings& space : found->spaces) by_name[space.space.value()] = &space;
  ASSERT_EQ(by_name.size(), 3u);
  EXPECT_EQ(DetailOf(by_name["wide"]->status).field, "embedding");
  EXPECT_EQ(CodeOf(by_name["absent"]->status), ErrorCode::kNoAssignment);
  EXPECT_TRUE(by_name["narrow"]->status.ok());
  EXPECT_EQ(by_name["narrow"]->found.size(), 1u);
}

TEST_F(RecallMany, WhatIsTooLargeToTravelWithTheSearchIsReadApart) {
  StoreIn("a", MakeStore("m1", "apples " + std::string(1000, 'x')));
  const SpaceId a("a");
  const RecallQuery query = MakeQuery("apples");
  EXPECT_TRUE(engine_->Find({&a, 1}, query, {})->spaces[0].found[0].memory.has_value());
  auto found = engine_->Find({&a, 1}, query, {.bytes_max = 1000});
  EXPECT_FALSE(found->spaces[0].found[0].memory.has_value());
  auto read = engine_->ReadFound(a, MemoryId("m1"), query);
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ((*read)->content.size(), 1007u);
  RecallQuery other = query;
  other.tags = {"none"};
  EXPECT_FALSE(engine_->ReadFound(a, MemoryId("m1"), other)->has_value());
}

TEST_F(RecallMany, NoSpacesFindNothing) {
  auto found = engine_->Find({}, MakeQuery("apples"), {});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->spaces, IsEmpty());
  EXPECT_EQ(InvalidField(engine_->Find({}, MakeQuery(""), {})), "query");
}

}  // namespace
}  // namespace engram::memory
