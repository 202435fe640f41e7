// Taking over another holder's copy, and what becomes of a log that was restarted with one.
#include "engram/memory/log_store.h"
#include "engram/memory/testing/log_store_fixture.h"

namespace engram::memory {
namespace {

using replication::HolderState;

TEST_F(LogStoreTest, CopyThatIsTakenOverInPiecesIsTheSameAndTheLogGoesOn) {
  for (int i = 0; i < 20; ++i) {
    StoreCommand store = commands_.Store("m" + std::to_string(i), "apples " + std::to_string(i));
    store.embedding.assign(3, static_cast<float>(i));
    store.links = {{MemoryId("m1"), 0.5}};
    ASSERT_TRUE(a_.Write(store).ok());
  }
  ASSERT_TRUE(a_.Write(commands_.Forget("m7")).ok());
  LogNode fresh("b", holders_);
  HolderState state;
  state.Follow(a_.Log().holder.epoch());
  ASSERT_TRUE(fresh.Bind(state).ok());
  EXPECT_TRUE(fresh.Log().incomplete);
  EXPECT_EQ(CodeOf(fresh.Write(commands_.Store("m1", "x")).status()), ErrorCode::kWrongNode);
  ASSERT_TRUE(fresh.Follow(a_).ok());
  int pieces = 0;
  ASSERT_TRUE(fresh.CopyFrom(a_, 4, [&] { ++pieces; }).ok());
  EXPECT_GE(pieces, 10);
  EXPECT_FALSE(fresh.Log().incomplete);
  EXPECT_EQ(fresh.Digest(), a_.Digest());
  EXPECT_EQ(fresh.Record().memories, 19u);
  EXPECT_EQ(fresh.Record().dimension, 3u);
  EXPECT_EQ(fresh.Log().last(), a_.Log().last());
  EXPECT_FALSE(fresh.HasWholeLog());
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "pears")).ok());
  ASSERT_TRUE(fresh.Take(a_).ok());
  EXPECT_EQ(fresh.Digest(), a_.Digest());
  fresh.Open();
  EXPECT_EQ(fresh.Digest(), a_.Digest());
}

// What it holds alone is not lost when a copy takes the place of everything else.
TEST_F(LogStoreTest, WhatWaitsInTheOutboxOutlivesACopy) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "apples", {1, 2})).ok());
  Catch(a_, b_);
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "on a branch", {3, 4})).ok());
  ASSERT_TRUE(b_.Write(commands_.Store("m2", "on a branch, too")).ok());
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "pears", {5, 6})).ok());
  ASSERT_TRUE(b_.CopyFrom(a_, 100).ok());
  EXPECT_EQ(b_.Log().outbox_entries, 2u);
  EXPECT_EQ(b_.Get("m2")->content, "on a branch, too");
  EXPECT_EQ(b_.Get("m1")->siblings.size(), 1u);
  Heal(a_, b_);
  EXPECT_EQ(a_.Digest(), b_.Digest());
  EXPECT_EQ(a_.Get("m1")->siblings.size(), 1u);
}

// The log that it stands in may have to be forgotten, with the only copy of the change.
TEST_F(LogStoreTest, WhatCameBackAfterABaseOutlivesThatBase) {
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "on a branch")).ok());
  ASSERT_TRUE(a_.Write(commands_.Store("m2", "nobody else has this")).ok());
  ASSERT_TRUE(b_.RestartFrom(a_).ok());
  ASSERT_TRUE(a_.Merge(b_).ok());
  ASSERT_TRUE(b_.Take(a_).ok());
  ASSERT_TRUE(c_.TakeOffice(2).ok());
  ASSERT_TRUE(b_.Follow(c_).ok());
  EXPECT_EQ(b_.Log().last(), Version());
  ASSERT_TRUE(b_.CopyFrom(c_, 100).ok());
  ASSERT_TRUE(b_.Get("m1"));
  EXPECT_EQ(b_.Get("m1")->content, "on a branch");
  EXPECT_FALSE(b_.Get("m2"));
  Heal(c_, b_);
  EXPECT_EQ(c_.Get("m1")->content, "on a branch");
  EXPECT_EQ(b_.Digest(), c_.Digest());
}

TEST_F(LogStoreTest, APrimaryKeepsTheSameUntilItsBaseIsSettled) {
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "on a branch")).ok());
  ASSERT_TRUE(a_.Write(commands_.Store("m2", "pears")).ok());
  ASSERT_TRUE(a_.Merge(b_).ok());
  ASSERT_TRUE(b_.CopyFrom(a_, 100).ok());
  ASSERT_TRUE(b_.TakeOffice(2).ok());
  b_.Open();
  EXPECT_EQ(b_.Log().outbox_entries, 1u);
  ASSERT_TRUE(b_.Complete(b_.Log().holder.epoch(), true).ok());
  EXPECT_EQ(b_.Log().outbox_entries, 0u);
  EXPECT_EQ(b_.Log().base, Version());
  EXPECT_EQ(b_.Record().memories, 2u);
}

// The next primary lacks the base, and all of the epoch that followed it.
TEST_F(LogStoreTest, WhatAPrimaryTookBeforeItsBaseWasSettledOutlivesThatBase) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "nobody else has this")).ok());
  ASSERT_TRUE(b_.CopyFrom(a_, 100).ok());
  ASSERT_TRUE(b_.TakeOffice(2).ok());
  ASSERT_TRUE(b_.Write(commands_.Store("m2", "acknowledged by one")).ok());
  ASSERT_TRUE(c_.TakeOffice(3).ok());
  ASSERT_TRUE(b_.Follow(c_).ok());
  ASSERT_TRUE(b_.CopyFrom(c_, 100).ok());
  EXPECT_FALSE(b_.Get("m1"));
  ASSERT_TRUE(b_.Get("m2"));
  EXPECT_EQ(b_.Get("m2")->content, "acknowledged by one");
  Heal(c_, b_);
  EXPECT_EQ(c_.Get("m2")->content, "acknowledged by one");
  EXPECT_EQ(b_.Digest(), c_.Digest());
}

// In both, after a base; and cut off again.
TEST_F(LogStoreTest, WhatIsCutOffIsInTheOutboxOnce) {
  ASSERT_TRUE(b_.Write(commands_.Store("m1", "on a branch")).ok());
  ASSERT_TRUE(b_.CopyFrom(a_, 100).ok());
  Catch(a_, c_);
  ASSERT_TRUE(a_.Merge(b_).ok());
  ASSERT_TRUE(b_.Take(a_).ok());
  ASSERT_TRUE(c_.TakeOffice(2).ok());
  ASSERT_TRUE(b_.Follow(c_).ok());
  EXPECT_EQ(b_.Log().outbox_entries, 1u);
  Heal(c_, b_);
  EXPECT_EQ(c_.Get("m1")->content, "on a branch");
  EXPECT_EQ(b_.Digest(), c_.Digest());
}

// The machine may ask for it before it has heard that its log was restarted.
TEST_F(LogStoreTest, ACopyThatHasNotComeIsNotMadeCompleteByItsOutboxBeingSettled) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "apples")).ok());
  ASSERT_TRUE(b_.RestartFrom(a_).ok());
  EXPECT_TRUE(b_.Log().incomplete);
  EXPECT_FALSE(b_.Complete(a_.Log().holder.epoch(), true).ok());
  EXPECT_TRUE(b_.Log().incomplete);
}

// Its promise says so: it may have confirmed all of that.
TEST_F(LogStoreTest, WhoTakesACopyRemembersHowFarItHadBeen) {
  const Version had = b_.Log().last();
  ASSERT_NE(had, Version());
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "apples")).ok());
  ASSERT_TRUE(b_.RestartFrom(a_).ok());
  EXPECT_GT(b_.Log().last(), had);
  EXPECT_EQ(b_.Log().ConfirmedTo(), had);
  ASSERT_TRUE(a_.Write(commands_.Store("m2", "pears")).ok());
  ASSERT_TRUE(b_.RestartFrom(a_).ok());
  EXPECT_EQ(b_.Log().ConfirmedTo(), had) << "started anew";
  ASSERT_TRUE(b_.CopyFrom(a_, 100).ok());
  EXPECT_EQ(b_.Log().ConfirmedTo(), b_.Log().last());
}

// The base was a primary's alone, and the next one lacks it.
TEST_F(LogStoreTest, WhoeverMustCutBelowItsBaseStartsAnew) {
  ASSERT_TRUE(a_.Write(commands_.Store("m1", "nobody else has this")).ok());
  ASSERT_TRUE(b_.CopyFrom(a_, 100).ok());
  ASSERT_TRUE(c_.TakeOffice(2).ok());
  ASSERT_TRUE(b_.Follow(c_).ok());
  EXPECT_TRUE(b_.Log().incomplete);
  EXPECT_EQ(b_.Log().last(), Version());
  EXPECT_EQ(b_.Log().ConfirmedTo(), a_.Log().last());
  ASSERT_TRUE(b_.CopyFrom(c_, 100).ok());
  EXPECT_FALSE(b_.Get("m1"));
  EXPECT_EQ(b_.Digest(), c_.Digest());
  Heal(c_, a_);
  ASSERT_TRUE(b_.Take(c_).ok());
  EXPECT_EQ(b_.Get("m1")->content, "nobody else has this");
  EXPECT_EQ(b_.Digest(), a_.Digest());
}

}  // namespace
}  // namespace engram::memory
