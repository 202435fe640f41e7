#include "engram/replication/replica.h"

#include <gtest/gtest.h>

#include "engram/replication/testing/replica_cluster.h"

namespace engram::replication {
namespace {

// Of three holders, led by the first.
ReplicaCluster Created(size_t size = 3, uint64_t seed = 1) {
  ReplicaCluster cluster(size, seed);
  cluster.Create(0);
  cluster.RunFor(seconds(2));
  EXPECT_EQ(cluster.Primary(), 0u);
  return cluster;
}

// Likewise, with logs that are soon trimmed.
ReplicaCluster WithShortLogs() {
  ReplicaCluster cluster(3);
  cluster.kept = 100;
  for (size_t i = 0; i < 3; ++i) cluster.Restart(i);
  cluster.Create(0);
  cluster.RunFor(seconds(2));
  return cluster;
}

// The third is down while the others write more than they keep.
void FallTooFarBehind(ReplicaCluster& cluster) {
  cluster.Crash(2);
  for (int i = 0; i < 5'000; ++i) cluster.Write(0);
  cluster.RunFor(seconds(2));
}

// The moment in which the third, up again, has begun to take a copy.
void AwaitIncomplete(ReplicaCluster& cluster) {
  for (int i = 0; i < 10'000 && !cluster.log(2).log().incomplete; ++i) {
    cluster.RunFor(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(cluster.log(2).log().incomplete);
}

TEST(Replica, WhatThePrimaryWritesStandsInEveryLog) {
  ReplicaCluster cluster = Created();
  for (int i = 0; i < 500; ++i) cluster.Write(0);
  cluster.RunFor(seconds(1));
  EXPECT_EQ(cluster.log(1).Store().size(), 500u);
  EXPECT_EQ(cluster.held_by_quorum().size(), 500u);
  EXPECT_EQ(cluster.node(0).HeldByAll(), cluster.log(0).log().last());
  cluster.Settle();
}

TEST(Replica, AFollowerThatWasDownCatchesUpFromWhereItWas) {
  ReplicaCluster cluster = Created();
  cluster.Write(0);
  cluster.RunFor(seconds(1));
  cluster.Crash(2);
  for (int i = 0; i < 2'000; ++i) cluster.Write(0);
  cluster.RunFor(seconds(2));
  EXPECT_EQ(cluster.log(2).Store().size(), 1u);
  cluster.Restart(2);
  cluster.RunFor(seconds(5));
  EXPECT_EQ(cluster.log(2).Store().size(), 2'001u);
  cluster.Settle();
}

// The log does not reach back to where it was.
TEST(Replica, AFollowerThatWasDownForTooLongTakesACopy) {
  ReplicaCluster cluster = WithShortLogs();
  cluster.Write(0);
  cluster.RunFor(seconds(1));
  FallTooFarBehind(cluster);
  EXPECT_LE(cluster.log(0).entries(), 100u);
  EXPECT_LE(cluster.log(1).entries(), 100u) << "followers trim, too";
  cluster.Restart(2);
  cluster.RunFor(seconds(3));
  EXPECT_EQ(cluster.log(2).Store().size(), 5'001u);
  EXPECT_FALSE(cluster.log(2).log().incomplete);
  cluster.Settle();
}

// An older stream may bring what it said of its copy of before.
TEST(Replica, AnOvertakenConfirmationDoesNotMakeACopyComplete) {
  ReplicaCluster cluster = WithShortLogs();
  const Confirm before{cluster.log(0).log().holder.epoch(), cluster.log(2).log().last(), false};
  FallTooFarBehind(cluster);
  cluster.Restart(2);
  const NodeId behind = cluster.log(0).log().holders[2];
  const Follower& follower = cluster.node(0).followers().at(behind);
  for (int i = 0; i < 10'000 && follower.complete(); ++i) {
    cluster.RunFor(std::chrono::milliseconds(1));
  }
  ASSERT_FALSE(follower.complete());
  const_cast<Replica&>(cluster.node(0)).Step(behind, before, {});
  EXPECT_FALSE(follower.complete());
  EXPECT_EQ(cluster.node(0).HeldByAll(), Version());
}

// It has forgotten nothing that it promised, so the primary and it are a majority.
TEST(Replica, AFollowerThatWasDownForTooLongTakesACopyAlsoWhenTheThirdIsGoneForGood) {
  ReplicaCluster cluster = WithShortLogs();
  FallTooFarBehind(cluster);
  cluster.Crash(1);
  cluster.Restart(2);
  AwaitIncomplete(cluster);
  // Whom it has heard before says nothing to the primary any more.
  cluster.Crash(0);
  cluster.RunFor(seconds(5));
  cluster.Restart(0);
  cluster.RunFor(seconds(10));
  EXPECT_EQ(cluster.log(2).Store().size(), 5'000u);
  EXPECT_FALSE(cluster.log(2).log().incomplete);
}

// Its promises are as good as ever; and the third has all that it ever had.
TEST(Replica, AFollowerThatTakesACopyHelpsTheThirdToOfficeWhenThePrimaryIsGoneForGood) {
  ReplicaCluster cluster = WithShortLogs();
  FallTooFarBehind(cluster);
  cluster.Restart(2);
  AwaitIncomplete(cluster);
  cluster.LoseDisk(0);
  cluster.RunFor(seconds(10));
  EXPECT_EQ(cluster.Primary(), 1u);
  EXPECT_EQ(cluster.log(2).Store().size(), 5'000u);
  EXPECT_FALSE(cluster.log(2).log().incomplete);
}

TEST(Replica, AHolderThatLostItsDiskIsNotCountedUntilItsCopyIsComplete) {
  ReplicaCluster cluster = Created();
  for (int i = 0; i < 3'000; ++i) cluster.Write(0);
  cluster.RunFor(seconds(1));
  cluster.Crash(1);
  cluster.LoseDisk(2);
  cluster.RunFor(seconds(3));
  cluster.Restart(2);
  const auto alone = cluster.Write(0);
  cluster.RunFor(seconds(5));
  EXPECT_FALSE(cluster.held_by_quorum().contains(*alone));
  EXPECT_EQ(cluster.log(2).Store().size(), 0u) << "the two others may have a newer primary";
  cluster.Restart(1);
  cluster.RunFor(milliseconds(1'500));
  cluster.Crash(1);
  cluster.RunFor(seconds(5));
  EXPECT_EQ(cluster.log(2).Store().size(), 3'001u);
  EXPECT_TRUE(cluster.held_by_quorum().contains(*alone)) << "now it is counted";
  cluster.Settle();
}

// It may have been one of the two that confirmed the write.
TEST(Replica, AHolderThatLostItsDiskHelpsToOfficeOnlyWithAllOthers) {
  ReplicaCluster cluster = Created();
  cluster.CutOff(1);
  cluster.RunFor(milliseconds(100));
  const auto written = cluster.Write(0);
  cluster.RunFor(seconds(1));
  ASSERT_TRUE(cluster.held_by_quorum().contains(*written));
  cluster.LoseDisk(2);
  cluster.Crash(0);
  cluster.Heal();
  cluster.Restart(2);
  cluster.RunFor(seconds(20));
  EXPECT_EQ(cluster.Primary(), std::nullopt);
  cluster.Restart(0);
  cluster.RunFor(seconds(10));
  EXPECT_TRUE(cluster.Primary().has_value());
  cluster.Settle();
}

TEST(Replica, AnEqualCopyIsOnlyComparedAndADamagedOneMended) {
  ReplicaCluster cluster(3);
  cluster.options.compare.period = seconds(20);
  for (size_t i = 0; i < 3; ++i) cluster.Restart(i);
  cluster.Create(0);
  cluster.RunFor(seconds(2));
  for (int i = 0; i < 5'000; ++i) cluster.Write(0);
  cluster.RunFor(seconds(60));
  EXPECT_GE(cluster.node(1).pieces_compared(), 6u);
  EXPECT_EQ(cluster.node(1).pieces_mended(), 0u);
  cluster.Damage(1, "w77");
  cluster.RunFor(seconds(60));
  EXPECT_EQ(cluster.node(1).pieces_mended(), 1u);
  EXPECT_TRUE(cluster.log(1).Store().contains("w77"));
  EXPECT_EQ(cluster.node(2).pieces_mended(), 0u);
  cluster.Settle();
}

TEST(Replica, AReplacedPrimarysTailIsMerged) {
  ReplicaCluster cluster = Created();
  cluster.Write(0);
  cluster.RunFor(seconds(1));
  cluster.CutOff(0);
  const auto alone = cluster.Write(0);
  ASSERT_TRUE(alone.has_value());
  cluster.RunFor(seconds(8));
  ASSERT_NE(cluster.Primary(), 0u);
  cluster.Write(*cluster.Primary());
  cluster.RunFor(seconds(1));
  EXPECT_FALSE(cluster.log(1).Store().contains(*alone));
  cluster.Settle();
  EXPECT_TRUE(cluster.log(1).Store().contains(*alone));
}

TEST(Replica, ABranchIsMerged) {
  ReplicaCluster cluster = Created();
  cluster.RunFor(seconds(1));
  cluster.CutOff(2);
  cluster.RunFor(seconds(4));
  EXPECT_EQ(cluster.Write(2), std::nullopt) << "only one that is cut off may, and must say so";
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(cluster.Write(2, /*branch=*/true).has_value());
  EXPECT_EQ(cluster.log(2).log().outbox_entries, 300u);
  cluster.Settle();
}

TEST(Replica, AHandoverMovesTheOfficeWithTheWholeLog) {
  ReplicaCluster cluster = Created();
  for (int i = 0; i < 1'000; ++i) cluster.Write(0);
  cluster.HandOver(0, 2);
  cluster.RunFor(seconds(1));
  EXPECT_EQ(cluster.Primary(), 2u);
  EXPECT_EQ(cluster.newest_counter(), 2u);
  EXPECT_EQ(cluster.log(2).Store().size(), 1'000u);
  EXPECT_EQ(cluster.log(2).log().logged.rows().size(), 2u) << "nothing had to be merged";
  cluster.Settle();
}

TEST(Replica, APrimaryWithABrokenDiskIsReplaced) {
  ReplicaCluster cluster = Created();
  cluster.Write(0);
  cluster.RunFor(seconds(1));
  const_cast<Replica&>(cluster.node(0)).OnStoreFailed();
  EXPECT_FALSE(cluster.node(0).IsPrimary());
  cluster.RunFor(seconds(6));
  ASSERT_TRUE(cluster.Primary().has_value());
  EXPECT_NE(cluster.Primary(), 0u);
}

TEST(Replica, AnOnlyHolderWhoseStoreFailsKeepsItsOffice) {
  ReplicaCluster cluster(1);
  cluster.Create(0);
  cluster.RunFor(seconds(1));
  const_cast<Replica&>(cluster.node(0)).OnStoreFailed();
  EXPECT_TRUE(cluster.node(0).IsPrimary());
}

TEST(Replica, AnOnlyHolderNeedsNobody) {
  ReplicaCluster cluster(1);
  cluster.Create(0);
  cluster.RunFor(seconds(1));
  ASSERT_EQ(cluster.Primary(), 0u);
  EXPECT_EQ(cluster.node(0).LeaseUntil(), kNever);
  cluster.Write(0);
  EXPECT_EQ(cluster.node(0).HeldByAll(), cluster.log(0).log().last());
}

// Of three holders, led by the first, who look for tombstones every second.
ReplicaCluster CollectingCluster() {
  ReplicaCluster cluster(3);
  cluster.options.tombstones.period = seconds(1);
  for (size_t i = 0; i < 3; ++i) cluster.Restart(i);
  cluster.Create(0);
  cluster.RunFor(seconds(2));
  EXPECT_EQ(cluster.Primary(), 0u);
  return cluster;
}

TEST(Replica, TombstonesAreCollectedWhenAllHoldersHaveConfirmedThem) {
  ReplicaCluster cluster = CollectingCluster();
  const auto before = cluster.Forget(0);
  cluster.RunFor(seconds(5));
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.log(i).Store().contains("c" + *before));
  cluster.Crash(2);
  const auto missed = cluster.Forget(0);
  cluster.RunFor(seconds(30));
  EXPECT_TRUE(cluster.held_by_quorum().contains(*missed));
  EXPECT_FALSE(cluster.log(0).Store().contains("c" + *missed)) << "one has not confirmed it";
  cluster.Restart(2);
  cluster.RunFor(seconds(10));
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.log(i).Store().contains("c" + *missed));
  cluster.Settle();
}

TEST(Replica, ANewPrimaryCollectsWhatTheOldOneLeft) {
  ReplicaCluster cluster = CollectingCluster();
  cluster.Crash(2);
  const auto left = cluster.Forget(0);
  cluster.RunFor(seconds(3));
  cluster.Crash(0);
  cluster.Restart(2);
  cluster.RunFor(seconds(10));
  ASSERT_TRUE(cluster.Primary().has_value());
  EXPECT_FALSE(cluster.log(*cluster.Primary()).Store().contains("c" + *left));
  cluster.Restart(0);
  cluster.RunFor(seconds(10));
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.log(i).Store().contains("c" + *left));
  cluster.Settle();
}

TEST(Replica, AnOnlyHolderCollectsTombstones) {
  ReplicaCluster cluster(1);
  cluster.options.tombstones.period = seconds(1);
  cluster.Restart(0);
  cluster.Create(0);
  cluster.RunFor(seconds(1));
  const auto text = cluster.Forget(0);
  cluster.RunFor(seconds(5));
  EXPECT_TRUE(cluster.log(0).Store().contains("c" + *text));
}

// A holder that has the log of its primary up to an entry, and takes over the copy that belongs to
// it.
class CopyingReplica : public ::testing::Test {
 protected:
  CopyingReplica() {
    const Epoch& epoch = kEpoch;
    EpochHistory history;
    history.Append({epoch, 1});
    Hear(Lineage{epoch, history});
    Hear(BaseAt(10));
    EXPECT_TRUE(log_.log().incomplete);
    EXPECT_EQ(log_.log().last(), (Version{epoch, 10}));
  }

  static Base BaseAt(uint64_t sequence) {
    LogBase base;
    for (uint64_t i = 1; i <= sequence; ++i) base.history.Append({kEpoch, i});
    base.logged.Add({kEpoch, sequence});
    base.holders = {NodeId("a"), NodeId("b")};
    base.assignment = {kEpoch, 1};
    return {kEpoch, base};
  }
  // The last one.
  static Piece PieceAt(uint64_t sequence) {
    Piece piece{kEpoch, {kEpoch, sequence}, false, {}};
    piece.content.logged.Add({kEpoch, sequence});
    return piece;
  }

  void Hear(const ReplicaMessage& message) {
    machine_.Step(holders_[0], message, now_);
    CarryOut();
  }
  void CarryOut() {
    for (;;) {
      std::vector<Replica::Output> outputs = machine_.TakeOutput();
      if (outputs.empty()) return;
      for (Replica::Output& output : outputs) {
        if (auto* run = std::get_if<Replica::Run>(&output)) Carry(*run);
      }
    }
  }
  void Carry(Replica::Run& run) {
    auto done = [this, id = run.id](const auto& result) {
      machine_.OnDone(id, result.status(), now_);
    };
    if (std::exchange(full_, false)) {
      const absl::StatusOr<SpaceLog> refused = MakeError(ErrorCode::kOverloaded, "full");
      return done(refused);
    }
    machine_.GiveTo(log_, std::move(run.command), done);
    if (!stalls_) CommitAll();
  }
  void CommitAll() {
    while (log_.HasWork()) log_.Commit();
  }
  // When it wants to.
  void Tick() {
    ASSERT_NE(machine_.NextWake(), kNever);
    now_ = std::max(now_, machine_.NextWake());
    machine_.Tick(now_);
    CarryOut();
  }

  static inline const Epoch kEpoch{1, NodeId("a")};
  const std::vector<NodeId> holders_{NodeId("a"), NodeId("b")};
  TimePoint now_{std::chrono::hours(1)};
  bool stalls_ = false;  // the disk
  bool full_ = false;    // the store has no room for the next command
  std::mt19937_64 random_{1};
  MapLog log_{NodeId("b"), holders_};
  Replica machine_{SpaceId("s"), NodeId("b"), {}, holders_, {}, log_, random_, now_};
};

// It has not what the entry brought, and would take it away again.
TEST_F(CopyingReplica, APieceThatAnEntryHasOvertakenIsAskedForAgain) {
  Hear(Entries{kEpoch, {kEpoch, 10}, {{{kEpoch, 11}, "1/a/11/10/w11"}}});
  EXPECT_EQ(log_.log().last(), (Version{kEpoch, 11}));
  Hear(PieceAt(10));
  EXPECT_TRUE(log_.log().incomplete);
  Hear(PieceAt(11));
  EXPECT_FALSE(log_.log().incomplete);
}

// What lies between the piece and the base would never come.
TEST_F(CopyingReplica, ACopyIsNotCompleteByAPieceOfBeforeItsBase) {
  stalls_ = true;
  Hear(PieceAt(10));
  Hear(BaseAt(20));
  stalls_ = false;
  CommitAll();
  CarryOut();
  EXPECT_EQ(log_.log().last(), (Version{kEpoch, 20}));
  EXPECT_TRUE(log_.log().incomplete);
  Hear(PieceAt(20));
  EXPECT_FALSE(log_.log().incomplete);
}

TEST_F(CopyingReplica, ACopyGoesOnWhenTheStoreHadNoRoomForAnotherBase) {
  full_ = true;
  Hear(BaseAt(20));
  EXPECT_EQ(log_.log().last(), (Version{kEpoch, 10}));
  Hear(PieceAt(10));
  EXPECT_FALSE(log_.log().incomplete);
}

// Then what comes back leaves the outbox at once, and the log may be cut below its base no more.
TEST_F(CopyingReplica, ABaseIsSettledAsSoonAsAMajorityHasIt) {
  Hear(PieceAt(10));
  EXPECT_EQ(log_.log().base, (Version{kEpoch, 10}));
  Heartbeat heartbeat{kEpoch, now_, {kEpoch, 12}, {kEpoch, 9}};
  Hear(FailoverMessage(heartbeat));
  EXPECT_EQ(log_.log().base, (Version{kEpoch, 10}));
  heartbeat.held = {kEpoch, 10};
  Hear(FailoverMessage(heartbeat));
  EXPECT_EQ(log_.log().base, Version());
}

TEST_F(CopyingReplica, APieceThatTheStoreHadNoRoomForIsTakenLater) {
  full_ = true;
  Hear(PieceAt(10));
  EXPECT_TRUE(log_.log().incomplete);
  Tick();
  Hear(PieceAt(10));
  EXPECT_FALSE(log_.log().incomplete);
}

TEST_F(CopyingReplica, ACopyThatTheStoreHadNoRoomToDeclareCompleteIsDeclaredLater) {
  stalls_ = true;
  Hear(PieceAt(10));
  stalls_ = false;
  CommitAll();
  full_ = true;  // for what comes of that
  CarryOut();
  EXPECT_TRUE(log_.log().incomplete);
  Tick();
  EXPECT_FALSE(log_.log().incomplete);
}

}  // namespace
}  // namespace engram::replication
