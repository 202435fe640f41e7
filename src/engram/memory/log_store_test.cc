// The durable half of replication: two or three holders that are told what to do by hand.
#include "engram/memory/log_store.h"

#include "engram/memory/testing/log_store_fixture.h"

namespace engram::memory {
namespace {

using replication::Entry;
using replication::HolderState;
using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST_F(LogStoreTest, FollowerComesToTheVeryStateOfThePrimary) {
  StoreCommand store = commands_.Store("m1", "some apples", {1, 2});
  store.links = {{MemoryId("m2"), 0.5}};
  ASSERT_TRUE(a_.Write(store).ok());
  ASSERT_TRUE(a_.Write(commands_.Store("m2", "pears")).ok());
  ASSERT_TRUE(a_.Write(commands_.Link("m2", "m1", 0.25)).ok());
  ASSERT_TRUE(a_.Write(commands_.Store("m3", "plums")).ok());
  ASSERT_TRUE(a_.Write(commands_.Forget("m3")).ok());
  EXPECT_NE(a_.Digest(), b_.Digest());
  Catch(a_, b_);
  EXPECT_EQ(a_.Digest(), b_.Digest());
  EXPECT_EQ(b_.Log().history, a_.Log().history);
  EXPECT_EQ(b_.Record().memories, 2u);
  EXPECT_EQ(b_.Record().vectors, 1u);
  EXPECT_EQ(b_.Record().dimension, 2u);
  EXPECT_EQ(b_.Get("m1")->links, store.links);
}

TEST_F(LogStoreTest, OnlyThePrimaryTakesWritesUnlessTheyMayGoToABranch) {
  StoreCommand command = commands_.Store("m1", "apples");
  command.branch = Branch::kNo;
  EXPECT_EQ(CodeOf(b_.Write(command).status()), ErrorCode::kWrongNode);
  EXPECT_FALSE(b_.Get("m1"));
  command.branch = Branch::kYes;
  auto branched = b_.Write(command);
  ASSERT_TRUE(branched.ok()) << branched.status();
  EXPECT_TRUE(branched->branch);
  EXPECT_EQ(branched->version, (Version{{1, NodeId("b")}, 1}));
  EXPECT_EQ(b_.Log().outbox_entries, 1u);
  EXPECT_EQ(b_.Get("m1")->content, "apples");
}

TEST_F(LogStoreTest, PromiseFencesThePrimarysOwnWrites) {
  HolderState state = a_.Log().holder;
  state.Promise(2, NodeId("b"));
  ASSERT_TRUE(a_.Bind(state).ok());
  StoreCommand command = commands_.Store("m1", "apples");
  command.branch = Branch::kNo;
  EXPECT_EQ(CodeOf(a_.Write(command).status()), ErrorCode::kWrongNode);
}

TEST_F(LogStoreTest, PromiseIsThereAfterARestart) {
  LogNode fresh("d", holders_);
  HolderState state;
  state.Promise(4, NodeId("a"));
  ASSERT_TRUE(fresh.Bind(state).ok());
  fresh.Open();
  EXPECT_EQ(fresh.Log().holder, state);
  EXPECT_EQ(fresh.Log().holders, holders_);
}

TEST_F(LogStoreTest, LogIsThereAfterARestart) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "apples")).ok());
  ASSERT_TRUE(b_.Write(commands_.Store("m2", "pears")).ok());
  ASSERT_TRUE(b_.Write(commands_.Store("m3", "plums")).ok());
  for (LogNode* node : {&a_, &b_}) {
    const replication::SpaceLog before = node->Log();
    node->Open();
    EXPECT_EQ(node->Log(), before);
  }
}

TEST_F(LogStoreTest, BranchComesBackAsEntriesWithTheirOrigin) {
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "apples")).ok());
  ASSERT_TRUE(b_.Write(commands_.Store("m2", "pears")).ok());
  ASSERT_TRUE(a_.Write(commands_.Store("m3", "plums")).ok());
  Heal(a_, b_);
  EXPECT_EQ(a_.Get("m1")->revision.version, (Version{{1, NodeId("b")}, 1}));
  EXPECT_EQ(a_.Log().logged.SequenceOf({1, NodeId("b")}), 2u);
  EXPECT_EQ(a_.Digest(), b_.Digest());
}

TEST_F(LogStoreTest, MergedTwiceAChangeStandsInTheLogOnce) {
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "apples")).ok());
  ASSERT_TRUE(a_.Merge(b_).ok());
  ASSERT_TRUE(a_.Merge(b_).ok());
  EXPECT_THAT(a_.Entries(), SizeIs(2));
}

TEST_F(LogStoreTest, MergeThatWouldLeaveAGapIsLeft) {
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "apples")).ok());
  ASSERT_TRUE(b_.Write(commands_.Store("m2", "pears")).ok());
  auto changes = *b_.port().ReadOutbox(LogNode::kSpace, {});
  changes.erase(changes.begin());
  a_.port().Merge(LogNode::kSpace, {1, NodeId("a")}, changes, [](auto) {});
  EXPECT_FALSE(a_.Get("m2"));
  EXPECT_THAT(a_.Entries(), SizeIs(1));
}

TEST_F(LogStoreTest, ConcurrentEditsLeaveASiblingEverywhereUntilTheNextWrite) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "first", {1, 0})).ok());
  Catch(a_, b_);
  ++b_.now;
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "early", {2, 0})).ok());
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "late", {3, 0})).ok());
  Heal(a_, b_);
  for (const LogNode* node : {&a_, &b_}) {
    const Memory memory = *node->Get("m1");
    EXPECT_EQ(memory.content, "late");
    EXPECT_THAT(memory.embedding, ElementsAre(3, 0));
    ASSERT_THAT(memory.siblings, SizeIs(1));
    EXPECT_EQ(memory.siblings[0].content, "early");
    EXPECT_THAT(memory.siblings[0].embedding, ElementsAre(2, 0));
    EXPECT_EQ(node->Record().siblings, 1u);
    EXPECT_EQ(node->Record().memories, 1u);
  }
  EXPECT_EQ(a_.Digest(), b_.Digest());
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "next")).ok());
  Catch(a_, b_);
  EXPECT_THAT(b_.Get("m1")->siblings, SizeIs(0));
  EXPECT_EQ(b_.Record().siblings, 0u);
  EXPECT_EQ(a_.Digest(), b_.Digest());
}

TEST_F(LogStoreTest, SiblingThatIsShownAgainHasItsWordsAndItsEmbedding) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "early", {2, 0})).ok());
  b_.now += 5;
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "late", {3, 0})).ok());
  ASSERT_TRUE(b_.Write(commands_.Forget("m1")).ok());
  Heal(a_, b_);
  EXPECT_EQ(a_.Get("m1")->content, "early");
  EXPECT_THAT(b_.Get("m1")->embedding, ElementsAre(2, 0));
  EXPECT_EQ(a_.Digest(), b_.Digest());
}

TEST_F(LogStoreTest, TailOfAnOldPrimaryComesToTheNewOneThroughTheOutbox) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "shipped")).ok());
  Catch(a_, b_);
  auto kept = a_.Write(commands_.Store("m2", "not shipped"));
  ASSERT_TRUE(b_.TakeOffice(2).ok());
  ASSERT_TRUE(b_.Write(commands_.Store("m3", "in the new epoch")).ok());
  Catch(b_, a_);
  EXPECT_EQ(a_.Log().outbox_entries, 1u);
  EXPECT_EQ(a_.Log().history, b_.Log().history);
  EXPECT_EQ(a_.Get("m2")->content, "not shipped") << "the store keeps what the log lost";
  Heal(b_, a_);
  EXPECT_EQ(b_.Get("m2")->revision.version, kept->version);
  EXPECT_EQ(a_.Digest(), b_.Digest());
  EXPECT_EQ(a_.Log().logged, b_.Log().logged);
}

TEST_F(LogStoreTest, WhoTakesOfficeLogsItsOutboxFirst) {
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "branch")).ok());
  ASSERT_TRUE(b_.TakeOffice(2).ok());
  EXPECT_EQ(b_.Log().outbox_entries, 0u);
  EXPECT_EQ(b_.Log().outbox, VersionVector());
  EXPECT_EQ(b_.Log().assignment, (Version{{2, NodeId("b")}, 1}));
  Catch(b_, a_);
  EXPECT_EQ(a_.Get("m1")->content, "branch");
  EXPECT_EQ(a_.Digest(), b_.Digest());
  EXPECT_EQ(a_.Log().assignment, (Version{{2, NodeId("b")}, 1}));
}

TEST_F(LogStoreTest, RequestThatTookEffectOnBothSidesHasOneEffectAfterTheHeal) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "first")).ok());
  Catch(a_, b_);
  const StoreCommand retried = commands_.Store("m1", "second");
  ASSERT_TRUE(a_.Write(retried).ok());
  ASSERT_TRUE(b_.Write(retried).ok());
  Heal(a_, b_);
  EXPECT_THAT(a_.Get("m1")->siblings, SizeIs(0));
  EXPECT_THAT(b_.Get("m1")->siblings, SizeIs(0));
  EXPECT_EQ(a_.Digest(), b_.Digest());
  auto again = b_.Write(retried);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->repeated);
  EXPECT_FALSE(again->branch);
  EXPECT_EQ(again->version.epoch, (Epoch{1, NodeId("a")}));
}

TEST_F(LogStoreTest, DuplicateThatWasCutOffCountsAgainSoThatTheNextWriteHasSeenIt) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "first")).ok());
  Catch(a_, b_);
  Catch(a_, c_);
  const StoreCommand retried = commands_.Store("m1", "second");
  ASSERT_TRUE(a_.Write(retried).ok());
  ASSERT_TRUE(b_.Write(retried).ok());
  ASSERT_TRUE(a_.Merge(b_).ok());
  EXPECT_THAT(a_.Get("m1")->siblings, SizeIs(0));
  // A primary that has neither: it will take the other one first.
  ASSERT_TRUE(c_.TakeOffice(2).ok());
  Catch(c_, a_);
  EXPECT_EQ(a_.Log().outbox_entries, 2u);
  EXPECT_THAT(a_.Get("m1")->siblings, SizeIs(1));
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "next")).ok());
  Heal(c_, b_);
  Heal(c_, a_);
  Catch(c_, b_);
  for (const LogNode* node : {&a_, &b_, &c_}) {
    EXPECT_EQ(node->Get("m1")->content, "next");
    EXPECT_THAT(node->Get("m1")->siblings, SizeIs(0));
    EXPECT_EQ(node->Digest(), c_.Digest());
  }
}

TEST_F(LogStoreTest, FencedAndMisplacedCommandsAreRefusedAndChangeNothing) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "apples")).ok());
  const std::vector<Entry> entries = *a_.port().ReadLog(LogNode::kSpace, {{1, NodeId("a")}, 1}, {});
  const replication::SpaceLog before = b_.Log();
  const Epoch epoch{1, NodeId("a")};
  EXPECT_EQ(CodeOf(b_.Append(epoch, {epoch, 2}, entries)), ErrorCode::kWrongNode) << "a gap";
  EXPECT_EQ(CodeOf(b_.Append({2, NodeId("c")}, {epoch, 1}, entries)), ErrorCode::kWrongNode)
      << "not followed";
  EXPECT_EQ(CodeOf(a_.TakeOffice(1)), ErrorCode::kUnspecified) << "said twice";
  EXPECT_EQ(CodeOf(b_.Merge(c_)), ErrorCode::kWrongNode) << "not primary";
  EXPECT_EQ(b_.Log(), before);
  HolderState state = before.holder;
  state.Promise(3, NodeId("c"));
  ASSERT_TRUE(b_.Bind(state).ok());
  EXPECT_EQ(CodeOf(b_.Append(epoch, {epoch, 1}, entries)), ErrorCode::kWrongNode) << "fenced";
  EXPECT_EQ(CodeOf(b_.Bind(before.holder)), ErrorCode::kWrongNode) << "a promise is kept";
  EXPECT_FALSE(b_.Get("m1"));
}

TEST_F(LogStoreTest, WhatIsNoLogEntryIsRefused) {
  const Epoch epoch{1, NodeId("a")};
  EXPECT_EQ(CodeOf(b_.Append(epoch, {epoch, 1}, {{{epoch, 2}, "garbage"}})), ErrorCode::kInternal);
  EXPECT_EQ(b_.Log().last(), (Version{epoch, 1}));
}

TEST_F(LogStoreTest, LogIsReadInPieces) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(a_.Write(commands_.Store("m" + std::to_string(i), "apples")).ok());
  }
  const Epoch epoch{1, NodeId("a")};
  auto some = a_.port().ReadLog(LogNode::kSpace, {epoch, 2}, {2, 1u << 20});
  ASSERT_TRUE(some.ok());
  ASSERT_THAT(*some, SizeIs(2));
  EXPECT_EQ((*some)[0].position, (Version{epoch, 3}));
  EXPECT_THAT(*a_.port().ReadLog(LogNode::kSpace, {epoch, 2}, {100, 1}), SizeIs(1))
      << "at least one";
  EXPECT_THAT(*a_.port().ReadLog(LogNode::kSpace, {epoch, 6}, {}), SizeIs(0));
  EXPECT_EQ(CodeOf(a_.port().ReadLog(LogNode::kSpace, {epoch, 7}, {}).status()),
            ErrorCode::kNotFound);
}

TEST_F(LogStoreTest, LogIsTrimmedOnlyAsFarAsItMayBe) {
  a_.log_entries_max = 8;
  a_.Open();
  const Epoch epoch{1, NodeId("a")};
  auto store = [&](int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(a_.Write(commands_.Store("m", "apples")).ok());
  };
  store(30);
  EXPECT_THAT(a_.Entries(), SizeIs(31));
  a_.port().MayTrim(LogNode::kSpace, {epoch, 10});
  store(1);
  EXPECT_EQ(CodeOf(a_.port().ReadLog(LogNode::kSpace, {}, {}).status()), ErrorCode::kNotFound);
  EXPECT_THAT(*a_.port().ReadLog(LogNode::kSpace, {epoch, 10}, {}), SizeIs(22));
}

// Nothing in the entries themselves tells that a whole epoch is missing before them.
TEST_F(LogStoreTest, LogOfWhichAWholeEpochIsGoneIsNotReadFromItsBeginning) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "apples")).ok());
  LogNode fresh("b", holders_);
  HolderState state;
  state.Follow(a_.Log().holder.epoch());
  ASSERT_TRUE(fresh.Bind(state).ok());
  ASSERT_TRUE(fresh.Follow(a_).ok());
  ASSERT_TRUE(fresh.CopyFrom(a_, 100).ok());
  ASSERT_TRUE(fresh.TakeOffice(2).ok());
  EXPECT_EQ(CodeOf(fresh.port().ReadLog(LogNode::kSpace, {}, {}).status()), ErrorCode::kNotFound);
  EXPECT_THAT(*fresh.port().ReadLog(LogNode::kSpace, a_.Log().last(), {}), SizeIs(1));
}

TEST_F(LogStoreTest, WriteWhoseClockWouldBeFarAheadIsRefusedButNotAMerge) {
  b_.now += 61'000;
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "from the future")).ok());
  Heal(a_, b_);
  EXPECT_EQ(a_.Get("m1")->content, "from the future");
  auto refused = a_.Write(commands_.Store("m2", "now"));
  EXPECT_EQ(CodeOf(refused.status()), ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.status().ToString(), ::testing::HasSubstr("60000 ms"));
  a_.now += 2'000;
  auto later = a_.Write(commands_.Store("m1", "later"));
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_GE(ToInt(a_.Get("m1")->revision.clock), b_.now) << "the clock never goes back";
}

TEST_F(LogStoreTest, TwoSidesThatFixedDifferentDimensionsComeToTheEarlierOne) {
  a_.now += 5;
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "three numbers", {1, 2, 3})).ok());
  ASSERT_TRUE(b_.Write(commands_.Store("m2", "two numbers", {1, 2})).ok());
  Heal(a_, b_);
  EXPECT_EQ(a_.Record().dimension, 2u);
  EXPECT_EQ(b_.Record().dimension, 2u);
  EXPECT_THAT(a_.Get("m1")->embedding, ElementsAre(1, 2, 3)) << "kept";
  EXPECT_EQ(a_.Digest(), b_.Digest());
}

TEST_F(LogStoreTest, NoOneReadsASpaceOfWhichOnlyAPromiseIsKnown) {
  LogNode fresh("d", holders_);
  HolderState state;
  state.Promise(1, NodeId("a"));
  ASSERT_TRUE(fresh.Bind(state).ok());
  EXPECT_EQ(CodeOf(fresh.Write(commands_.Store("m1", "apples")).status()), ErrorCode::kWrongNode);
  EXPECT_THAT(fresh.port().ListLogs(), ElementsAre(LogNode::kSpace));
}

TEST_F(LogStoreTest, DiskThatFailsEndsCommandsUndeterminedAndThenRefusesThem) {
  b_.disk().FailWrites(absl::DataLossError("no"));
  EXPECT_EQ(CodeOf(b_.Follow(a_)), ErrorCode::kUndetermined);
  EXPECT_EQ(CodeOf(b_.Follow(a_)), ErrorCode::kStorageFailed);
}

}  // namespace
}  // namespace engram::memory
