// What readers of an engine see of changes that come from other nodes.
#include "engram/memory/testing/engine_fixture.h"
#include "engram/memory/testing/log_node.h"

namespace engram::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

// The engine is primary of the space; another holder has its log, and a branch.
class EngineLog : public EngineTest {
 protected:
  EngineLog() { other_.now = kTestStart; }

  absl::Status Merge() {
    auto changes = other_.port().ReadOutbox(space_, {});
    return AwaitLog([&](auto done) {
      engine_->log().Merge(space_, {1, NodeId("n0")}, *std::move(changes), std::move(done));
    });
  }
  absl::Status Ship() {
    const replication::SpaceLog log = *engine_->log().FindLog(space_);
    absl::Status shipped = AwaitOther([&](auto done) {
      other_.port().Follow(space_, log.holder.epoch(), log.history, std::move(done));
    });
    if (!shipped.ok()) return shipped;
    const Version end = other_.Log().last();
    return other_.Append(log.holder.epoch(), end, *engine_->log().ReadLog(space_, end, {}));
  }

  template <class Call>
  static absl::Status AwaitLog(Call call) {
    std::promise<absl::Status> promise;
    auto future = promise.get_future();
    call(
        [&](const absl::StatusOr<replication::SpaceLog>& log) { promise.set_value(log.status()); });
    return future.get();
  }
  template <class Call>
  static absl::Status AwaitOther(Call call) {
    return AwaitLog(std::move(call));
  }

  LogNode other_{"n1", {NodeId("n0"), NodeId("n1")}};
  Commands commands_{3};
};

TEST_F(EngineLog, MergedMemoryIsFoundByItsWords) {
  ASSERT_TRUE(Store("m1", "apples").ok());
  EXPECT_THAT(RecallIds("pears"), ElementsAre());  // the index is there before the merge
  ASSERT_TRUE(Ship().ok());
  ASSERT_TRUE(other_.Write(commands_.Store("m2", "pears")).ok());
  ASSERT_TRUE(Merge().ok());
  EXPECT_THAT(RecallIds("pears"), ElementsAre("m2"));
  Open();
  EXPECT_THAT(RecallIds("pears"), ElementsAre("m2"));
}

TEST_F(EngineLog, SiblingsAreShownByGetAndCounted) {
  ASSERT_TRUE(Store("m1", "first").ok());
  ASSERT_TRUE(Ship().ok());
  ASSERT_TRUE(other_.Write(commands_.Store("m1", "theirs")).ok());
  now_ += 10;
  ASSERT_TRUE(Store("m1", "ours").ok());
  const auto cached = engine_->GetEncoded(space_, MemoryId("m1"));
  ASSERT_TRUE(cached.ok());
  ASSERT_TRUE(Merge().ok());
  const Memory memory = *Get("m1");
  EXPECT_EQ(memory.content, "ours");
  ASSERT_EQ(memory.siblings.size(), 1u);
  EXPECT_EQ(memory.siblings[0].content, "theirs");
  EXPECT_EQ(engine_->FindSpace("space")->siblings, 1u);
  EXPECT_NE(engine_->GetEncoded(space_, MemoryId("m1"))->get(), cached->get())
      << "the kept reply knows nothing of the sibling";
  EXPECT_THAT(RecallIds("ours"), ElementsAre("m1"));
  EXPECT_THAT(RecallIds("theirs"), ElementsAre()) << "only what is shown is found";
}

TEST_F(EngineLog, EmbeddingsOfTheOtherSidesDimensionAreFoundWhenThatWasEarlier) {
  ASSERT_TRUE(Store("m0", "makes the space").ok());
  ASSERT_TRUE(Ship().ok());
  now_ += 10;
  StoreCommand ours = MakeStore("m1", "three numbers");
  ours.embedding = {1, 2, 3};
  ASSERT_TRUE(Store(ours).ok());
  RecallQuery query;
  query.space = space_;
  query.embedding = ours.embedding;
  EXPECT_THAT(RecallIds(query), ElementsAre("m1"));

  ASSERT_TRUE(other_.Write(commands_.Store("m2", "two numbers", {1, 2})).ok());
  ASSERT_TRUE(Merge().ok());
  EXPECT_EQ(engine_->FindSpace("space")->embedding_dimension, 2u);
  EXPECT_THAT(RecallIds("numbers"), UnorderedElementsAre("m1", "m2"));
  query.embedding = {1, 2};
  EXPECT_THAT(RecallIds(query), ElementsAre("m2"));
  EXPECT_TRUE(Store(ours)->repeated) << "what was taken is not refused when it is sent again";
  StoreCommand again = MakeStore("m3", "three numbers");
  again.embedding = {1, 2, 3};
  EXPECT_EQ(InvalidField(Store(again)), "embedding");
  EXPECT_EQ(Get("m1")->embedding, ours.embedding);
  Open();
  EXPECT_THAT(RecallIds(query), ElementsAre("m2"));
}

TEST_F(EngineLog, DigestIsThatOfACopyOnAnotherDisk) {
  ASSERT_TRUE(Store("m1", "apples").ok());
  ASSERT_TRUE(Store("m2", "pears").ok());
  ASSERT_TRUE(Ship().ok());
  EXPECT_EQ(*engine_->Digest(space_), other_.Digest());
  ASSERT_TRUE(Forget("m2").ok());
  EXPECT_NE(*engine_->Digest(space_), other_.Digest());
  EXPECT_EQ(CodeOf(engine_->Digest(SpaceId("none")).status()), ErrorCode::kNoAssignment);
}

TEST_F(EngineLog, EveryGroupThatChangesASpaceIsTold) {
  const size_t before = changed_;
  ASSERT_TRUE(Store("m1", "apples").ok());
  EXPECT_EQ(changed_, before + 1);
  EXPECT_EQ(CodeOf(Forget("none").status()), ErrorCode::kNotFound);
  EXPECT_EQ(changed_, before + 1);
}

TEST_F(EngineLog, SpaceOfWhichOnlyAPromiseIsKnownIsNotShown) {
  replication::HolderState state;
  state.Promise(1, NodeId("n1"));
  const SpaceId fresh("fresh");
  ASSERT_TRUE(AwaitLog([&](auto done) {
                engine_->log().Bind(fresh, state, {NodeId("n1")}, std::move(done));
              }).ok());
  EXPECT_FALSE(engine_->FindSpace("fresh"));
  EXPECT_TRUE(engine_->ListSpaces().empty());
  EXPECT_EQ(CodeOf(engine_->Get(fresh, MemoryId("m")).status()), ErrorCode::kNoAssignment);
  EXPECT_THAT(engine_->log().ListLogs(), ElementsAre(fresh));
}

// What a part of the episodes says would take the others out of what was made of all.
TEST_F(EngineLog, AnIncompleteCopyIsNotConsolidated) {
  ASSERT_TRUE(Store("m1", "same words").ok());
  ASSERT_TRUE(Store("m2", "same words").ok());
  ASSERT_TRUE(Ship().ok());
  ASSERT_TRUE(other_.TakeOffice(2).ok());
  const Epoch epoch = other_.Log().holder.epoch();
  ASSERT_TRUE(AwaitLog([&](auto done) {
                engine_->log().Follow(space_, epoch, other_.Log().history, std::move(done));
              }).ok());
  ConsolidationQuery query;
  query.space = space_;
  ASSERT_TRUE(engine_->PlanConsolidation(query).ok());
  ASSERT_TRUE(AwaitLog([&](auto done) {
                engine_->log().Restart(space_, epoch, *other_.port().ReadBase(space_),
                                       std::move(done));
              }).ok());
  const auto refused = engine_->PlanConsolidation(query);
  EXPECT_EQ(CodeOf(refused.status()), ErrorCode::kNoLocalData) << refused.status();
}

}  // namespace
}  // namespace engram::memory
