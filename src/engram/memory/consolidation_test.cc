#include "engram/memory/consolidation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "engram/memory/validate.h"

namespace engram::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

DuplicateGroup Group(const std::vector<std::string>& ids) {
  DuplicateGroup group;
  for (const std::string& id : ids) group.push_back({MemoryId(id), group.empty() ? 1 : 0.9});
  return group;
}

Merger MergerOf(std::string id, const std::vector<std::string>& sources, bool unchanged = true) {
  Merger merger{MemoryId(std::move(id)), {}, unchanged};
  for (const std::string& source : sources) merger.sources.emplace_back(source);
  return merger;
}

Memory Source(std::string id, std::string content, double confidence = 0.5) {
  Memory memory;
  memory.space = SpaceId("s");
  memory.id = MemoryId(std::move(id));
  memory.content = std::move(content);
  memory.confidence = confidence;
  return memory;
}

MergeTask Task(const std::vector<std::string>& ids) {
  return AssignMergers({Group(ids)}, {}).front();
}

// What the engine makes of it.
Memory Stored(const StoreCommand& command) {
  Memory memory = Source(command.id->value(), command.content, *command.confidence);
  memory.kind = command.kind;
  memory.embedding = command.embedding;
  memory.tags = command.tags;
  memory.metadata = command.metadata;
  memory.links = command.links;
  memory.occurred_at = *command.occurred_at;
  return memory;
}

// --- which merger is which group's

TEST(AssignMergers, ANewIdDerivesFromTheMembers) {
  const MemoryId id = Task({"a", "b"}).id;
  EXPECT_TRUE(id.view().starts_with("consolidated-"));
  EXPECT_EQ(Task({"a", "b"}).id, id);
  std::set<MemoryId> others = {Task({"a", "c"}).id, Task({"a", "b", "c"}).id, Task({"ab", "c"}).id,
                               Task({"a", "bc"}).id, id};
  EXPECT_EQ(others.size(), 5u);
}

TEST(AssignMergers, AGroupThatHasGrownKeepsItsMerger) {
  const auto tasks =
      AssignMergers({Group({"a", "b", "c"})}, std::vector{MergerOf("m", {"a", "b"})});
  EXPECT_EQ(tasks.front().id, MemoryId("m"));
  EXPECT_THAT(tasks.front().superseded, IsEmpty());
}

TEST(AssignMergers, AMergerGoesWithMostOfItsSources) {
  const auto tasks = AssignMergers({Group({"a", "d"}), Group({"b", "c"})},
                                   std::vector{MergerOf("m", {"a", "b", "c"})});
  EXPECT_NE(tasks[0].id, MemoryId("m"));
  EXPECT_EQ(tasks[1].id, MemoryId("m"));
}

TEST(AssignMergers, OfTwoSidesOfASplitOneStays) {
  const std::vector mergers = {MergerOf("m3", {"c"}), MergerOf("m1", {"a", "b"}),
                               MergerOf("m2", {"a", "c"})};
  const auto tasks = AssignMergers({Group({"a", "b", "c"})}, mergers);
  EXPECT_EQ(tasks.front().id, MemoryId("m1"));
  EXPECT_THAT(tasks.front().superseded, ElementsAre(MemoryId("m2"), MemoryId("m3")));
}

TEST(AssignMergers, WhatWasTakenOverStaysAndSupersedesNothing) {
  const std::vector mergers = {MergerOf("m1", {"a", "b", "c"}), MergerOf("m2", {"a"}, false)};
  const auto tasks = AssignMergers({Group({"a", "b", "c"})}, mergers);
  EXPECT_EQ(tasks.front().id, MemoryId("m2"));
  EXPECT_TRUE(tasks.front().taken_over);
  EXPECT_THAT(tasks.front().superseded, IsEmpty());
}

TEST(AssignMergers, TheOrderOfTheMergersTellsNothing) {
  std::vector<Merger> mergers;
  std::mt19937_64 random(3);
  for (int i = 0; i < 30; ++i) {
    Merger& merger = mergers.emplace_back(MergerOf("m" + std::to_string(i), {}, i % 7 != 0));
    for (int j = 0; j < 4; ++j) merger.sources.emplace_back("e" + std::to_string(random() % 40));
  }
  std::vector<DuplicateGroup> groups;
  for (int i = 0; i < 40; i += 4) {
    auto& group = groups.emplace_back();
    for (int j = i; j < i + 4; ++j) group.push_back({MemoryId("e" + std::to_string(j)), 1});
  }
  const auto first = AssignMergers(groups, mergers);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(mergers.begin(), mergers.end(), random);
    const auto again = AssignMergers(groups, mergers);
    for (size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(again[i].id, first[i].id);
      EXPECT_EQ(again[i].taken_over, first[i].taken_over);
      EXPECT_EQ(again[i].superseded, first[i].superseded);
    }
  }
}

// --- what a merger says

TEST(Compose, SaysWhatTheSurestSourceSays) {
  std::vector sources = {Source("a", "first", 0.5), Source("b", "surest", 0.9),
                         Source("c", "last", 0.5)};
  sources[0].occurred_at = WallMillis{30};
  sources[2].occurred_at = WallMillis{20};
  const StoreCommand command = Compose(Task({"a", "b", "c"}), sources, {});
  EXPECT_EQ(command.content, "surest");
  EXPECT_EQ(command.kind, Kind::kSemantic);
  EXPECT_EQ(command.occurred_at, WallMillis{30});
}

TEST(Compose, TiesGoToTheLatestThenToTheSmallestId) {
  std::vector sources = {Source("a", "A"), Source("b", "B"), Source("c", "C")};
  EXPECT_EQ(Compose(Task({"a", "b", "c"}), sources, {}).content, "A");
  sources[1].occurred_at = WallMillis{5};
  EXPECT_EQ(Compose(Task({"a", "b", "c"}), sources, {}).content, "B");
}

TEST(Compose, ConfidenceIsNoisyOr) {
  const std::vector sources = {Source("a", "A", 0.5), Source("b", "B", 0.8)};
  EXPECT_DOUBLE_EQ(*Compose(Task({"a", "b"}), sources, {}).confidence, 0.9);
  const std::vector none = {Source("a", "A", 0), Source("b", "B", 0)};
  EXPECT_EQ(*Compose(Task({"a", "b"}), none, {}).confidence, 0);
}

TEST(Compose, TheEmbeddingIsTheMeanDirection) {
  std::vector sources = {Source("a", "A"), Source("b", "B"), Source("c", "C"), Source("d", "D")};
  sources[1].embedding = {2, 0};
  sources[2].embedding = {0, 7};
  sources[3].embedding = {1, 1, 1};
  const auto embedding = Compose(Task({"a", "b", "c", "d"}), sources, {}).embedding;
  ASSERT_EQ(embedding.size(), 2u);
  EXPECT_FLOAT_EQ(embedding[0], std::sqrt(0.5F));
  EXPECT_FLOAT_EQ(embedding[1], std::sqrt(0.5F));
}

TEST(Compose, MetadataIsWhatAllShareTagsAreAll) {
  std::vector sources = {Source("a", "A"), Source("b", "B")};
  sources[0].metadata = {{"user", "ada"}, {"at", "9"}, {"only", "a"}};
  sources[1].metadata = {{"user", "ada"}, {"at", "10"}};
  sources[0].tags = {"work", "tea"};
  sources[1].tags = {"home", "tea"};
  StoreCommand command = Compose(Task({"a", "b"}), sources, {});
  EXPECT_EQ(command.metadata.count("user"), 1u);
  EXPECT_EQ(command.metadata.size(), 2u);  // and the mark
  EXPECT_THAT(command.tags, ElementsAre("home", "tea", "work"));
}

TEST(Compose, LinksToTheSourcesByTheirSimilarity) {
  const std::vector sources = {Source("a", "A"), Source("c", "C")};
  MergeTask task = Task({"a", "b", "c"});
  task.group[2].similarity = 0.87654;
  const std::vector others = {Link{MemoryId("b2"), 0.25}};
  EXPECT_THAT(
      Compose(task, sources, others).links,
      ElementsAre(Link{MemoryId("a"), 1}, Link{MemoryId("b2"), 0.25}, Link{MemoryId("c"), 0.877}));
}

// Sources with everything at its bound make a memory that the engine takes.
TEST(Compose, StaysWithinTheLimitsOfAStore) {
  std::vector<Memory> sources;
  std::vector<std::string> ids;
  for (size_t i = 0; i < NearDuplicates::kGroupMax; ++i) {
    ids.push_back(std::to_string(1000 + i));
    Memory& source = sources.emplace_back(Source(ids.back(), "text"));
    source.metadata = {{"k", std::string(kMetadataBytesMax - 1, 'v')}};
    for (size_t tag = 0; tag < kTagsMax; ++tag) {
      source.tags.push_back(std::to_string(i) + "-" + std::to_string(tag));
    }
  }
  StoreCommand command = Compose(Task(ids), sources, std::vector{Link{MemoryId("x"), 1}});
  command.identity.request_id =
      RequestIdOf({WallMillis{1000}, std::chrono::seconds(1)}, command, {});
  EXPECT_EQ(command.links.size(), kLinksMax);
  const absl::Status valid = ValidateStore(command, {WallMillis{1500}, std::chrono::hours(1)});
  EXPECT_TRUE(valid.ok()) << valid;
}

TEST(Compose, WhatIsStoredSaysItAndIsUnchanged) {
  std::vector sources = {Source("a", "A"), Source("b", "B")};
  sources[0].embedding = {1, 0};
  sources[0].tags = {"t"};
  const StoreCommand command = Compose(Task({"a", "b"}), sources, {});
  const Memory stored = Stored(command);
  EXPECT_TRUE(Says(stored, command));
  EXPECT_TRUE(IsUnchangedMerger(stored));

  sources[1].confidence = 0.6;
  EXPECT_FALSE(Says(stored, Compose(Task({"a", "b"}), sources, {})));
}

TEST(Compose, AnyChangeByOthersShows) {
  const std::vector sources = {Source("a", "A"), Source("b", "B")};
  const Memory stored = Stored(Compose(Task({"a", "b"}), sources, {}));
  auto changed = [&](auto change) {
    Memory memory = stored;
    change(memory);
    return !IsUnchangedMerger(memory);
  };
  EXPECT_TRUE(changed([](Memory& m) { m.content = "mine"; }));
  EXPECT_TRUE(changed([](Memory& m) { m.tags.emplace_back("mine"); }));
  EXPECT_TRUE(changed([](Memory& m) { m.metadata["mine"] = "1"; }));
  EXPECT_TRUE(changed([](Memory& m) { m.confidence = 0.1; }));
  EXPECT_TRUE(changed([](Memory& m) { m.embedding = {1}; }));
  EXPECT_TRUE(changed([](Memory& m) { m.metadata.clear(); }));
  EXPECT_TRUE(changed([](Memory& m) { m.siblings.emplace_back(); }));
  // A link from it is no change of what it says.
  EXPECT_FALSE(changed([](Memory& m) { m.links.push_back({MemoryId("z"), 1}); }));
}

// --- request ids

TEST(ConsolidationRequestId, IsTheSameForTheSameChange) {
  const std::vector sources = {Source("a", "A"), Source("b", "B")};
  const StoreCommand command = Compose(Task({"a", "b"}), sources, {});
  const ChangeTime time{WallMillis{1'700'000'000'000}, std::chrono::minutes(15)};
  const Version replaced{{1, NodeId("n")}, 7};
  const RequestId id = RequestIdOf(time, command, replaced);
  EXPECT_EQ(RequestIdOf(time, command, replaced), id);
  EXPECT_NE(RequestIdOf(time, command, {}), id);
  StoreCommand more = command;
  more.links.push_back({MemoryId("z"), 1});
  EXPECT_NE(RequestIdOf(time, more, replaced), id);
  const ForgetCommand forget{command.space, *command.id, {}};
  EXPECT_NE(RequestIdOf(time, forget, replaced), id);
}

TEST(ConsolidationRequestId, NodesThatAreAskedAtAboutTheSameTimeAgree) {
  const std::vector sources = {Source("a", "A"), Source("b", "B")};
  const StoreCommand command = Compose(Task({"a", "b"}), sources, {});
  const int64_t grain = 900'000;
  auto id_at = [&](int64_t millis) {
    return RequestIdOf({WallMillis{millis}, std::chrono::minutes(15)}, command, {});
  };
  EXPECT_EQ(id_at(grain * 5), id_at(grain * 6 - 1));
  EXPECT_NE(id_at(grain * 5), id_at(grain * 6));
  EXPECT_EQ(ToInt(id_at(grain * 5 + 3).time()), grain * 5);
}

}  // namespace
}  // namespace engram::memory
