// What writes do, and what of it is seen.
#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Store : public EngineTest {};

TEST_F(Store, GivesBackWhatWasStored) {
  StoreCommand command = MakeStore("m1", "the cat sat on the mat");
  command.tags = {"pets", "home"};
  command.metadata = {{"source", "diary"}};
  command.embedding = {1, 2, 3};
  command.links = {{MemoryId("m2"), 0.5}};
  command.confidence = 0.75;
  command.kind = Kind::kSemantic;
  command.occurred_at = WallMillis{1234};
  auto result = EngineTest::Store(command);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->created);
  EXPECT_TRUE(result->space_created);

  auto memory = Get("m1");
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->content, command.content);
  EXPECT_EQ(memory->tags, command.tags);
  EXPECT_EQ(memory->metadata, command.metadata);
  EXPECT_EQ(memory->embedding, command.embedding);
  EXPECT_EQ(memory->links, command.links);
  EXPECT_EQ(memory->confidence, 0.75);
  EXPECT_EQ(memory->kind, Kind::kSemantic);
  EXPECT_EQ(ToInt(memory->occurred_at), 1234);
  EXPECT_EQ(ToInt(memory->updated_at), kTestStart);
  EXPECT_EQ(memory->revision.version, result->version);
  EXPECT_EQ(memory->revision.request_id, command.identity.request_id);
}

TEST_F(Store, TagGivenTwiceIsStoredOnce) {
  StoreCommand command = MakeStore("m1", "text");
  command.tags = {"pets", "home", "pets", "cats", "home"};
  ASSERT_TRUE(EngineTest::Store(command).ok());
  EXPECT_THAT(Get("m1")->tags, ElementsAre("pets", "home", "cats"));
}

TEST_F(Store, LinkToItselfIsRefused) {
  ASSERT_TRUE(EngineTest::Store("m1", "text").ok());
  EXPECT_EQ(InvalidField(Link("m1", "m1")), "to");
  StoreCommand command = MakeStore("m1", "another text");
  command.links = {{MemoryId("m2"), 0.5}, {MemoryId("m1"), 0.5}};
  EXPECT_EQ(InvalidField(EngineTest::Store(command)), "links");
  EXPECT_EQ(Get("m1")->content, "text");
  EXPECT_THAT(Get("m1")->links, IsEmpty());
}

TEST_F(Store, FirstOneCreatesTheSpaceInEpochOne) {
  auto result = EngineTest::Store("m1", "text");
  ASSERT_TRUE(result.ok());
  const Epoch epoch{1, NodeId("n0")};
  EXPECT_EQ(result->version, (Version{epoch, 2}));
  auto summary = engine_->FindSpace("space");
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->assignment_version, (Version{epoch, 1}));
  EXPECT_EQ(summary->version, (Version{epoch, 2}));
  EXPECT_EQ(summary->memories, 1u);
}

TEST_F(Store, UnknownSpaceIsNotCreatedUnasked) {
  StoreCommand command = MakeStore("m1", "text");
  command.create_space = CreateSpace::kNo;
  EXPECT_EQ(CodeOf(EngineTest::Store(command).status()), ErrorCode::kNoAssignment);
  EXPECT_THAT(Get("m1").status().ToString(), HasSubstr("there is no space 'space'"));
  EXPECT_THAT(Get("m1").status().ToString(), Not(HasSubstr("on this node")));
  EXPECT_FALSE(engine_->FindSpace("space").has_value());
  EXPECT_EQ(CodeOf(Get("m1").status()), ErrorCode::kNoAssignment);
  EXPECT_EQ(CodeOf(engine_->Recall(MakeQuery("text")).status()), ErrorCode::kNoAssignment);
  EXPECT_EQ(CodeOf(Forget("m1").status()), ErrorCode::kNoAssignment);
}

TEST_F(Store, AbsentIdIsDerivedFromTheRequest) {
  StoreCommand command = MakeStore("", "text");
  command.id.reset();
  command.identity.line = 7;
  auto result = EngineTest::Store(command);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->id.value(), Ulid::Derive(command.identity.request_id, 7).ToString());
}

TEST_F(Store, ReplacesTheMemoryWholly) {
  StoreCommand first = MakeStore("m1", "apples");
  first.tags = {"fruit"};
  first.embedding = {1, 0};
  first.links = {{MemoryId("m2"), 0.5}};
  first.confidence = 0.5;
  first.kind = Kind::kSemantic;
  first.occurred_at = WallMillis{99};
  auto stored = EngineTest::Store(first);
  auto replaced = EngineTest::Store("m1", "pears");
  ASSERT_TRUE(replaced.ok());
  EXPECT_FALSE(replaced->created);
  EXPECT_GT(replaced->version, stored->version);

  auto memory = Get("m1");
  EXPECT_EQ(memory->content, "pears");
  EXPECT_THAT(memory->tags, IsEmpty());
  EXPECT_THAT(memory->embedding, IsEmpty());
  EXPECT_THAT(memory->links, IsEmpty());
  // What a store may leave out stays.
  EXPECT_EQ(memory->confidence, 0.5);
  EXPECT_EQ(memory->kind, Kind::kSemantic);
  EXPECT_EQ(ToInt(memory->occurred_at), 99);
  EXPECT_THAT(memory->siblings, IsEmpty());
  EXPECT_THAT(RecallIds("apples"), IsEmpty());
  EXPECT_THAT(RecallIds("pears"), ElementsAre("m1"));
  EXPECT_EQ(engine_->FindSpace("space")->memories, 1u);
}

TEST_F(Store, ForgottenMemoryIsGoneUntilStoredAgain) {
  ASSERT_TRUE(EngineTest::Store("m1", "apples").ok());
  ASSERT_TRUE(EngineTest::Store("m2", "pears").ok());
  ASSERT_TRUE(Link("m1", "m2").ok());
  ASSERT_TRUE(Forget("m1").ok());
  EXPECT_EQ(CodeOf(Get("m1").status()), ErrorCode::kNotFound);
  EXPECT_THAT(RecallIds("apples"), IsEmpty());
  EXPECT_EQ(engine_->FindSpace("space")->memories, 1u);
  EXPECT_EQ(CodeOf(Forget("m1").status()), ErrorCode::kNotFound);

  auto again = EngineTest::Store("m1", "apples again");
  EXPECT_TRUE(again->created);
  EXPECT_THAT(Get("m1")->links, IsEmpty());
  EXPECT_THAT(RecallIds("apples"), ElementsAre("m1"));
}

TEST_F(Store, LinkNeedsBothEnds) {
  ASSERT_TRUE(EngineTest::Store("m1", "apples").ok());
  EXPECT_EQ(CodeOf(Link("m1", "m2").status()), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(Link("m2", "m1").status()), ErrorCode::kNotFound);
  ASSERT_TRUE(EngineTest::Store("m2", "pears").ok());
  auto linked = Link("m1", "m2", 0.25);
  ASSERT_TRUE(linked.ok()) << linked.status();
  EXPECT_EQ(linked->version.sequence, 4u);
  EXPECT_THAT(Get("m1")->links, ElementsAre(memory::Link{MemoryId("m2"), 0.25}));
  ASSERT_TRUE(Link("m1", "m2", 0.5).ok());
  EXPECT_THAT(Get("m1")->links, ElementsAre(memory::Link{MemoryId("m2"), 0.5}));
}

TEST_F(Store, RevisionClockNeverGoesBack) {
  ASSERT_TRUE(EngineTest::Store("m1", "one").ok());
  const Revision first = Get("m1")->revision;
  now_ -= 60'000;
  ASSERT_TRUE(EngineTest::Store("m1", "two").ok());
  const Revision second = Get("m1")->revision;
  EXPECT_EQ(second.clock, first.clock);
  EXPECT_GT(second.clock_counter, first.clock_counter);
}

TEST_F(Store, WrongDimensionIsRefusedAndStoresNothing) {
  StoreCommand command = MakeStore("m1", "text");
  command.embedding.assign(128, 1.0F);
  ASSERT_TRUE(EngineTest::Store(command).ok());
  command = MakeStore("m2", "text");
  command.embedding = {1, 2, 3};
  auto result = EngineTest::Store(command);
  EXPECT_EQ(InvalidField(result), "embedding");
  EXPECT_THAT(result.status().ToString(),
              HasSubstr("embedding has 3 numbers, the space 'space' takes 128"));
  EXPECT_EQ(CodeOf(Get("m2").status()), ErrorCode::kNotFound);
  EXPECT_EQ(engine_->FindSpace("space")->version.sequence, 2u);
}

TEST_F(Store, SpacesAreListedByName) {
  for (const char* name : {"b", "a", "ab"}) {
    space_ = SpaceId(name);
    ASSERT_TRUE(EngineTest::Store("m1", name).ok());
  }
  std::vector<std::string> names;
  for (const SpaceSummary& summary : engine_->ListSpaces()) names.push_back(summary.space.value());
  EXPECT_THAT(names, ElementsAre("a", "ab", "b"));
}

TEST_F(Store, SpacesWhoseNamesShareAPrefixAreApart) {
  for (const char* name : {"a", "ab", "a.b"}) {
    space_ = SpaceId(name);
    ASSERT_TRUE(EngineTest::Store(std::string("of-") + name, "same words").ok());
  }
  Open();
  space_ = SpaceId("a");
  EXPECT_THAT(RecallIds("words"), ElementsAre("of-a"));
}

TEST_F(Store, QueueThatIsFullRefusesWithPushBack) {
  EngineOptions options = Options();
  options.queue_max = 0;
  engine_.reset();
  engine_ = *Engine::Open(std::move(options));
  auto result = EngineTest::Store("m1", "text");
  EXPECT_EQ(CodeOf(result.status()), ErrorCode::kOverloaded);
  EXPECT_GT(DetailOf(result.status()).retry_after, Duration::zero());
}

}  // namespace
}  // namespace engram::memory
