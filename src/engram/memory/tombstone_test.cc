// How tombstones go: on every copy alike, and so that nothing deleted comes back.
#include "engram/memory/keys.h"
#include "engram/memory/log_store.h"
#include "engram/memory/testing/engine_fixture.h"
#include "engram/memory/testing/log_node.h"

namespace engram::memory {
namespace {

using replication::Change;
using replication::LogPort;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Tombstones : public ::testing::Test {
 protected:
  // One is primary of the first epoch, the others have its whole log.
  Tombstones() {
    EXPECT_TRUE(a_.TakeOffice(1).ok());
    CatchAll(a_);
  }

  static void Catch(LogNode& primary, LogNode& holder) {
    const absl::Status followed = holder.Follow(primary);
    ASSERT_TRUE(followed.ok()) << followed;
    const absl::Status taken = holder.Take(primary);
    ASSERT_TRUE(taken.ok()) << taken;
  }
  void CatchAll(LogNode& primary) {
    for (LogNode* node : {&a_, &b_, &c_}) {
      if (node != &primary) Catch(primary, *node);
    }
  }
  // All outboxes have come back, and all have the same.
  void Heal(LogNode& primary) {
    CatchAll(primary);
    for (LogNode* node : {&a_, &b_, &c_}) {
      if (node == &primary) continue;
      const absl::Status merged = primary.Merge(*node);
      ASSERT_TRUE(merged.ok()) << merged;
    }
    CatchAll(primary);
    ExpectEqual();
  }
  void ExpectEqual() {
    for (LogNode* node : {&b_, &c_}) {
      EXPECT_EQ(node->Log().history, a_.Log().history);
      EXPECT_EQ(node->Log().logged, a_.Log().logged);
      EXPECT_EQ(node->Digest(), a_.Digest());
      EXPECT_EQ(node->Record().tombstones, a_.Record().tombstones);
    }
  }
  // As the primary does once all have confirmed what it has.
  static void Collect(LogNode& primary) { ASSERT_TRUE(primary.Collect(primary.Log().logged).ok()); }

  void Store(LogNode& node, const std::string& id, const std::string& content) {
    ASSERT_TRUE(node.Write(commands_.Store(id, content)).ok());
  }
  void Forget(LogNode& node, const std::string& id) {
    ASSERT_TRUE(node.Write(commands_.Forget(id)).ok());
  }
  static size_t ItemsOf(const LogNode& node) {
    return node.port()
        .ReadPiece(LogNode::kSpace, "", "", LogPort::Part::kMemories, {1'000, 1u << 20})
        ->items.size();
  }
  static std::vector<Change> OutboxOf(const LogNode& node) {
    return *node.port().ReadOutbox(LogNode::kSpace, {1'000, 1u << 20});
  }
  // Changes of a stream that were sent long ago.
  static void Arrive(LogNode& primary, const std::vector<Change>& late) {
    primary.port().Merge(LogNode::kSpace, primary.Log().holder.epoch(), late,
                         [](const auto& log) { EXPECT_TRUE(log.ok()) << log.status(); });
  }

  const std::vector<NodeId> holders_{NodeId("a"), NodeId("b"), NodeId("c")};
  LogNode a_{"a", holders_};
  LogNode b_{"b", holders_};
  LogNode c_{"c", holders_};
  Commands commands_{7};
};

TEST_F(Tombstones, CollectedTheyLeaveNothingOnAnyCopy) {
  Store(a_, "m1", "apples");
  Store(a_, "m2", "pears");
  Forget(a_, "m1");
  CatchAll(a_);
  EXPECT_EQ(b_.Record().tombstones, 1u);
  EXPECT_EQ(ItemsOf(b_), 2u);
  Collect(a_);
  CatchAll(a_);
  for (const LogNode* node : {&a_, &b_, &c_}) {
    EXPECT_EQ(node->Record().tombstones, 0u);
    EXPECT_EQ(ItemsOf(*node), 1u) << "of the memory that is left";
  }
  ExpectEqual();
  EXPECT_FALSE(a_.Get("m1"));
  EXPECT_EQ(CodeOf(a_.Write(commands_.Forget("m1")).status()), ErrorCode::kNotFound);
}

TEST_F(Tombstones, WithNothingToCollectNoEntryIsWritten) {
  Store(a_, "m1", "apples");
  const Version end = a_.Log().last();
  Collect(a_);
  EXPECT_EQ(a_.Log().last(), end);
  Forget(a_, "m1");
  CatchAll(a_);
  const auto found =
      a_.port().ReadTombstones(LogNode::kSpace, "", a_.Log().logged, {1'000, 1u << 20});
  Collect(a_);
  const Version collected = a_.Log().last();
  a_.port().Collect(LogNode::kSpace, a_.Log().holder.epoch(), found->items, [](const auto&) {});
  EXPECT_EQ(a_.Log().last(), collected) << "said twice";
}

TEST_F(Tombstones, OnlyThePrimaryCollects) {
  Store(a_, "m1", "apples");
  Forget(a_, "m1");
  CatchAll(a_);
  EXPECT_EQ(CodeOf(b_.Collect(b_.Log().logged)), ErrorCode::kWrongNode);
  EXPECT_EQ(b_.Record().tombstones, 1u);
}

TEST_F(Tombstones, WhatIsNotConfirmedStays) {
  Store(a_, "m1", "apples");
  Store(a_, "m2", "pears");
  Forget(a_, "m1");
  const VersionVector confirmed = a_.Log().logged;
  Forget(a_, "m2");
  ASSERT_TRUE(a_.Collect(confirmed).ok());
  EXPECT_EQ(a_.Record().tombstones, 1u);
  const auto left = a_.port().ReadTombstones(LogNode::kSpace, "", a_.Log().logged, {});
  ASSERT_THAT(left->items, SizeIs(1));
  EXPECT_EQ(left->items[0].name, "m2");
}

// A change that the delete has seen may stand in somebody's outbox as long as the log lacks it.
TEST_F(Tombstones, OneStaysUntilAllThatItHasSeenIsConfirmed) {
  Store(c_, "m1", "of a branch");
  ASSERT_TRUE(a_.Merge(c_).ok());
  Forget(a_, "m1");
  VersionVector confirmed = a_.Log().logged;
  confirmed.Set({{1, NodeId("c")}, 0});
  ASSERT_TRUE(a_.Collect(confirmed).ok());
  EXPECT_EQ(a_.Record().tombstones, 1u);
  Collect(a_);
  EXPECT_EQ(a_.Record().tombstones, 0u);
}

TEST_F(Tombstones, TheyAreFoundInPieces) {
  for (const char* id : {"m1", "m2", "m3"}) {
    Store(a_, id, "apples");
    Forget(a_, id);
  }
  const VersionVector confirmed = a_.Log().logged;
  const auto first = a_.port().ReadTombstones(LogNode::kSpace, "", confirmed, {2, 1u << 20});
  EXPECT_THAT(first->items, SizeIs(2));
  EXPECT_EQ(first->until, "m2");
  const auto rest = a_.port().ReadTombstones(LogNode::kSpace, "m2", confirmed, {2, 1u << 20});
  ASSERT_THAT(rest->items, SizeIs(1));
  EXPECT_EQ(rest->items[0].name, "m3");
  EXPECT_EQ(rest->until, "");
}

TEST_F(Tombstones, ABranchThatArrivesLateBringsNothingBack) {
  Store(c_, "m1", "of a branch");
  const std::vector<Change> sent = OutboxOf(c_);
  Heal(a_);
  Forget(a_, "m1");
  CatchAll(a_);
  Collect(a_);
  CatchAll(a_);
  Arrive(a_, sent);
  EXPECT_FALSE(a_.Get("m1"));
  Heal(a_);
  EXPECT_THAT(a_.Log().outbox_entries, 0u);
  EXPECT_EQ(ItemsOf(a_), 0u);
}

TEST_F(Tombstones, ATailThatArrivesLateBringsNothingBack) {
  Store(a_, "m1", "of a tail");
  ASSERT_TRUE(b_.TakeOffice(2).ok());
  ASSERT_TRUE(a_.Follow(b_).ok());
  const std::vector<Change> sent = OutboxOf(a_);
  ASSERT_THAT(sent, SizeIs(1));
  Heal(b_);
  EXPECT_EQ(c_.Get("m1")->content, "of a tail");
  Forget(b_, "m1");
  CatchAll(b_);
  Collect(b_);
  CatchAll(b_);
  Arrive(b_, sent);
  EXPECT_FALSE(b_.Get("m1"));
  Heal(b_);
  EXPECT_EQ(ItemsOf(c_), 0u);
}

// The delete has not seen it, so it survives; whether the tombstone is still there or not.
TEST_F(Tombstones, AnEditBesideTheDeleteSurvivesItsCollection) {
  Store(a_, "m1", "apples");
  CatchAll(a_);
  Store(c_, "m1", "an edit in a branch");
  Forget(a_, "m1");
  Catch(a_, b_);
  Catch(a_, c_);
  EXPECT_EQ(c_.Get("m1")->content, "an edit in a branch");
  Collect(a_);
  CatchAll(a_);
  EXPECT_EQ(c_.Get("m1")->content, "an edit in a branch") << "what stands beside it stays";
  EXPECT_EQ(c_.Record().tombstones, 0u);
  Heal(a_);
  for (const LogNode* node : {&a_, &b_, &c_}) {
    EXPECT_EQ(node->Get("m1")->content, "an edit in a branch");
    EXPECT_THAT(node->Get("m1")->siblings, IsEmpty());
  }
}

TEST_F(Tombstones, ANewLifeIsNotTakenForTheOldOne) {
  Store(a_, "m1", "apples");
  CatchAll(a_);
  Store(c_, "m1", "an edit in a branch");
  const std::vector<Change> late = OutboxOf(c_);
  Forget(a_, "m1");
  CatchAll(a_);
  Collect(a_);
  const auto again = a_.Write(commands_.Store("m1", "a new life"));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->created);
  Arrive(a_, late);
  CatchAll(a_);
  // Neither has seen the other: as if the tombstone were still there.
  const auto memory = a_.Get("m1");
  EXPECT_EQ(memory->content, "a new life");
  ASSERT_THAT(memory->siblings, SizeIs(1));
  EXPECT_EQ(memory->siblings[0].content, "an edit in a branch");
  Heal(a_);
  Forget(a_, "m1");
  CatchAll(a_);
  Collect(a_);
  CatchAll(a_);
  Arrive(a_, late);
  Heal(a_);
  EXPECT_EQ(ItemsOf(b_), 0u);
}

TEST_F(Tombstones, AWriteInABranchThatHasSeenATombstoneStaysWhenThatIsGone) {
  Store(a_, "m1", "apples");
  Forget(a_, "m1");
  CatchAll(a_);
  Store(c_, "m1", "a new life in a branch");
  Collect(a_);
  Heal(a_);
  EXPECT_EQ(b_.Get("m1")->content, "a new life in a branch");
  EXPECT_EQ(b_.Record().tombstones, 0u);
}

// Whoever collected has dropped the tombstone, though its entry is cut off.
TEST_F(Tombstones, AnEntryThatWasCutOffIsMergedLikeAnyOther) {
  Store(a_, "m1", "apples");
  Forget(a_, "m1");
  CatchAll(a_);
  Collect(a_);
  ASSERT_TRUE(b_.TakeOffice(2).ok());
  ASSERT_TRUE(a_.Follow(b_).ok());
  EXPECT_EQ(a_.Log().outbox_entries, 1u);
  Store(b_, "m1", "a new life");
  Forget(b_, "m1");
  EXPECT_EQ(b_.Record().tombstones, 1u);
  CatchAll(b_);
  Heal(b_);
  EXPECT_EQ(a_.Log().outbox_entries, 0u);
  EXPECT_EQ(a_.Record().tombstones, 1u) << "of the new life";
  Collect(b_);
  Heal(b_);
  EXPECT_EQ(ItemsOf(a_), 0u);
}

TEST_F(Tombstones, WhoTakesOfficeWithSuchAnEntryInItsOutboxLogsItAgain) {
  Store(a_, "m1", "apples");
  Forget(a_, "m1");
  CatchAll(a_);
  Collect(a_);
  ASSERT_TRUE(b_.TakeOffice(2).ok());
  Catch(b_, c_);
  ASSERT_TRUE(a_.Follow(b_).ok());
  ASSERT_TRUE(a_.Take(b_).ok());
  EXPECT_NE(a_.Digest(), c_.Digest());
  ASSERT_TRUE(a_.TakeOffice(3).ok());
  CatchAll(a_);
  ExpectEqual();
  EXPECT_EQ(ItemsOf(c_), 0u);
}

TEST_F(Tombstones, ACopyThatIsTakenOverLacksWhatWasCollected) {
  for (const char* id : {"m1", "m2", "m3"}) {
    Store(a_, id, "apples");
    Forget(a_, id);
  }
  Store(a_, "m4", "pears");
  Catch(a_, b_);
  Collect(a_);
  LogNode fresh("d", holders_);
  ASSERT_TRUE(fresh.Follow(a_).ok());
  ASSERT_TRUE(fresh.CopyFrom(a_, 1).ok());
  EXPECT_EQ(fresh.Digest(), a_.Digest());
  EXPECT_EQ(fresh.Record().tombstones, 0u);
  ASSERT_TRUE(b_.CopyFrom(a_, 1).ok()) << "and drops what the other has dropped";
  EXPECT_EQ(b_.Digest(), a_.Digest());
  EXPECT_EQ(b_.Record().tombstones, 0u);
}

TEST_F(Tombstones, ARequestThatIsRepeatedAfterTheCollectionHasOneEffect) {
  const StoreCommand store = commands_.Store("m1", "apples");
  const ForgetCommand forget = commands_.Forget("m1");
  const auto stored = a_.Write(store);
  const auto forgotten = a_.Write(forget);
  CatchAll(a_);
  Collect(a_);
  CatchAll(a_);
  ASSERT_TRUE(b_.TakeOffice(2).ok());
  for (LogNode* node : {&a_, &b_}) {
    const auto again = node->Write(store);
    ASSERT_TRUE(again.ok());
    EXPECT_TRUE(again->repeated);
    EXPECT_EQ(again->version, stored->version);
    const auto forgotten_again = node->Write(forget);
    ASSERT_TRUE(forgotten_again.ok());
    EXPECT_EQ(forgotten_again->version, forgotten->version);
    EXPECT_FALSE(node->Get("m1"));
  }
}

// The second try of a store that was deleted and collected comes from a branch.
TEST_F(Tombstones, ASecondTryInABranchAddsNothingAfterTheCollection) {
  const StoreCommand store = commands_.Store("m1", "apples");
  ASSERT_TRUE(c_.Write(store).ok());
  ASSERT_TRUE(a_.Write(store).ok());
  Forget(a_, "m1");
  Catch(a_, b_);
  Collect(a_);
  Heal(a_);
  EXPECT_FALSE(c_.Get("m1"));
  EXPECT_EQ(ItemsOf(c_), 0u);
}

TEST_F(Tombstones, ACrashInTheCollectionLeavesAllOfItOrNothing) {
  for (const char* id : {"m1", "m2", "m3"}) {
    Store(a_, id, "apples");
    Forget(a_, id);
  }
  CatchAll(a_);
  a_.disk().FailWrites(absl::DataLossError("the disk is gone"));
  EXPECT_FALSE(a_.Collect(a_.Log().logged).ok());
  a_.disk().AllowWrites();
  const Version before = b_.Log().last();
  a_.Open();
  const bool written = a_.Log().last() != before;
  EXPECT_EQ(a_.Record().tombstones, written ? 0u : 3u);
  EXPECT_EQ(ItemsOf(a_), written ? 0u : 3u);
  const auto found = a_.port().ReadTombstones(LogNode::kSpace, "", a_.Log().logged, {});
  EXPECT_THAT(found->items, SizeIs(written ? 0 : 3));
  Collect(a_);
  CatchAll(a_);
  ExpectEqual();
  EXPECT_EQ(ItemsOf(b_), 0u);
}

class TombstonesOfEngine : public EngineTest {};

TEST_F(TombstonesOfEngine, AreCountedAndStillAfterARestart) {
  ASSERT_TRUE(Store("m1", "apples").ok());
  ASSERT_TRUE(Forget("m1").ok());
  EXPECT_EQ(engine_->Tombstones().there, 1u);
  Open();
  EXPECT_EQ(engine_->Tombstones().there, 1u);
  const auto log = engine_->log().FindLog(space_);
  const auto found = engine_->log().ReadTombstones(space_, "", log->logged, {});
  ASSERT_THAT(found->items, SizeIs(1));
  std::promise<absl::Status> done;
  engine_->log().Collect(space_, log->holder.epoch(), found->items,
                         [&](const auto& result) { done.set_value(result.status()); });
  EXPECT_TRUE(done.get_future().get().ok());
  EXPECT_EQ(engine_->Tombstones().there, 0u);
  EXPECT_EQ(engine_->Tombstones().collected, 1u);
}

// Format 2 neither counted nor listed them.
TEST_F(TombstonesOfEngine, OfAnOlderDirectoryAreFound) {
  for (const char* id : {"m1", "m2", "m3"}) ASSERT_TRUE(Store(id, "apples").ok());
  ASSERT_TRUE(Forget("m1").ok());
  ASSERT_TRUE(Forget("m3").ok());
  storage::Database& database = engine_->database();
  const auto batch = database.MakeBatch();
  for (const char* id : {"m1", "m3"}) {
    batch->Delete(storage::Family::kTombstones, MemoryKey(space_, MemoryId(id)));
  }
  auto record = DecodeSpace(**database.Get(storage::Family::kCluster, SpaceRecordKey(space_)));
  record->tombstones = 0;
  batch->Put(storage::Family::kCluster, SpaceRecordKey(space_), EncodeSpace(*record));
  batch->Put(storage::Family::kCluster, kFormatKey, EncodeFormatVersion(2));
  ASSERT_TRUE(database.Write(*batch, storage::Sync::kYes).ok());
  Open();
  EXPECT_EQ(engine_->Tombstones().there, 2u);
  const auto log = engine_->log().FindLog(space_);
  EXPECT_THAT(engine_->log().ReadTombstones(space_, "", log->logged, {})->items, SizeIs(2));
}

}  // namespace
}  // namespace engram::memory
