#include "engram/replication/failover.h"

#include <gtest/gtest.h>

#include "engram/replication/testing/failover_cluster.h"

namespace engram::replication {
namespace {

TEST(Failover, AQuietClusterStaysAsItIs) {
  FailoverCluster cluster(3);
  cluster.RunFor(seconds(60));
  EXPECT_EQ(cluster.AgreedPrimary(), NodeId("a"));
  EXPECT_EQ(cluster.newest_counter(), 1u);
  EXPECT_TRUE(cluster.HasLease(0));
}

TEST(Failover, ADeadPrimaryIsReplacedAsSoonAsItsPortRefuses) {
  FailoverCluster cluster(3);
  cluster.RunFor(seconds(5));
  cluster.Crash(0);
  cluster.RunFor(seconds(5));
  EXPECT_TRUE(cluster.HasLease(1) != cluster.HasLease(2));
  cluster.Restart(0);
  cluster.RunFor(seconds(5));
  EXPECT_EQ(cluster.newest_counter(), 2u);
  ASSERT_TRUE(cluster.AgreedPrimary().has_value());
  EXPECT_NE(cluster.AgreedPrimary(), NodeId("a"));
}

TEST(Failover, AStoppedPrimaryIsReplacedAfterTheWaitAndStepsDown) {
  FailoverCluster cluster(3);
  cluster.RunFor(seconds(5));
  cluster.Stop(0);
  cluster.RunFor(seconds(6));
  EXPECT_EQ(cluster.newest_counter(), 2u);
  EXPECT_TRUE(cluster.node(0).IsPrimary()) << "it does not know yet";
  cluster.Continue(0);
  cluster.RunFor(seconds(1));
  EXPECT_FALSE(cluster.node(0).IsPrimary());
  EXPECT_NE(cluster.AgreedPrimary(), std::nullopt);
}

// Each would promise itself, and then nobody anything for as long as a primary has.
TEST(Failover, TwoWhoMissThePrimaryAtTheSameMomentAreNotInEachOthersWay) {
  FailoverCluster cluster(3);
  cluster.SetClockRate(1);
  cluster.network.delay_max = {};
  cluster.RunFor(seconds(5));
  for (uint64_t failovers = 1; failovers <= 5; ++failovers) {
    const size_t primary = *cluster.AgreedPrimary() == NodeId("a") ? 0 : 1;
    cluster.Stop(primary);
    cluster.RunFor(seconds(4));
    EXPECT_EQ(cluster.newest_counter(), 1 + failovers);
    EXPECT_TRUE(cluster.HasLease(1 - primary)) << "the first in the ring's order";
    cluster.Continue(primary);
    cluster.RunFor(seconds(5));
    ASSERT_TRUE(cluster.AgreedPrimary().has_value());
  }
}

TEST(Failover, APauseOfTwoSecondsMovesNothing) {
  FailoverCluster cluster(3);
  cluster.RunFor(seconds(5));
  for (int i = 0; i < 10; ++i) {
    cluster.Stop(0);
    cluster.RunFor(seconds(2));
    cluster.Continue(0);
    cluster.RunFor(seconds(3));
  }
  EXPECT_EQ(cluster.newest_counter(), 1u);
  EXPECT_EQ(cluster.AgreedPrimary(), NodeId("a"));
}

TEST(Failover, TheMostCaughtUpIsAppointedWhoeverCollects) {
  FailoverCluster cluster(3);
  cluster.SetPosition(1, {{1, NodeId("a")}, 8});
  cluster.SetPosition(2, {{1, NodeId("a")}, 9});
  cluster.RunFor(seconds(5));
  cluster.CutOff(0);
  cluster.RunFor(seconds(8));
  EXPECT_TRUE(cluster.HasLease(2));
}

TEST(Failover, NobodyIsMadePrimaryWithoutAMajority) {
  FailoverCluster cluster(3);
  cluster.RunFor(seconds(5));
  for (size_t i = 0; i < 3; ++i) cluster.CutOff(i);
  cluster.RunFor(seconds(60));
  EXPECT_EQ(cluster.newest_counter(), 1u);
  EXPECT_FALSE(cluster.HasLease(0));
  EXPECT_TRUE(cluster.node(0).IsPrimary()) << "goes on, and flags its answers";
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster.node(i).state().promised(), 1u) << "asking binds nobody";
  }
  cluster.Heal();
  cluster.RunFor(seconds(5));
  EXPECT_NE(cluster.AgreedPrimary(), std::nullopt);
}

TEST(Failover, AHolderThatHearsNothingChangesNoEpoch) {
  FailoverCluster cluster(3);
  cluster.RunFor(seconds(5));
  cluster.Cut(0, 2);
  cluster.Cut(1, 2);
  cluster.RunFor(seconds(60));
  cluster.Heal();
  cluster.RunFor(seconds(5));
  EXPECT_EQ(cluster.newest_counter(), 1u);
  EXPECT_EQ(cluster.AgreedPrimary(), NodeId("a"));
}

TEST(Failover, APromiseToWhoNeverTookOfficeIsOvertakenByThePrimary) {
  FailoverCluster cluster(3);
  cluster.RunFor(seconds(5));
  HolderState bound = cluster.node(1).state();
  bound.Promise(5, NodeId("b"));
  cluster.Crash(1);
  cluster.SetStored(1, bound);
  cluster.Restart(1);
  cluster.RunFor(seconds(2));
  EXPECT_EQ(cluster.AgreedPrimary(), NodeId("a")) << "sooner than anybody may suspect it";
  EXPECT_EQ(cluster.newest_counter(), 6u);
}

TEST(Failover, ARestartedPrimaryGoesOnButHasNoLeaseUntilItIsHeard) {
  FailoverCluster cluster(3);
  cluster.RunFor(seconds(5));
  cluster.CutOff(0);
  cluster.Crash(0);
  cluster.Restart(0);
  cluster.RunFor(seconds(1));
  EXPECT_TRUE(cluster.node(0).IsPrimary());
  EXPECT_FALSE(cluster.HasLease(0));
  cluster.Heal();
  cluster.RunFor(seconds(1));
  EXPECT_TRUE(cluster.HasLease(0));
  EXPECT_EQ(cluster.newest_counter(), 1u);
}

TEST(Failover, TheOnlyHolderMakesItselfPrimaryOfItsSpace) {
  std::mt19937_64 random(1);
  const TimePoint now{std::chrono::hours(1)};
  Failover only(NodeId("a"), {NodeId("a")}, HolderState(), FailoverOptions(), random, now);
  EXPECT_FALSE(only.IsPrimary());
  only.Tick(only.NextWake());
  EXPECT_FALSE(only.IsPrimary()) << "before its own promise is durable";
  only.Persisted(only.state(), {}, only.NextWake());
  EXPECT_TRUE(only.IsPrimary());
  EXPECT_TRUE(only.HasLease(only.NextWake()));
}

TEST(Failover, AStrangerIsNotHeeded) {
  std::mt19937_64 random(1);
  const TimePoint now{std::chrono::hours(1)};
  const std::vector<NodeId> holders{NodeId("a"), NodeId("b"), NodeId("c")};
  Failover node(NodeId("a"), holders, HolderState(), FailoverOptions(), random, now);
  node.Step(NodeId("z"), Heartbeat{{7, NodeId("z")}, now, {}}, now);
  node.Step(NodeId("b"), Heartbeat{{7, NodeId("c")}, now, {}}, now);  // not its own epoch
  EXPECT_TRUE(node.TakeOutput().empty());
  EXPECT_EQ(node.state(), HolderState());
}

TEST(Failover, AnAnswerFromTheFutureGivesNoLease) {
  std::mt19937_64 random(1);
  const TimePoint now{std::chrono::hours(1)};
  const Epoch epoch{1, NodeId("a")};
  HolderState state;
  state.Promise(1, NodeId("a"));
  state.TakeOffice(NodeId("a"));
  Failover node(NodeId("a"), {NodeId("a"), NodeId("b")}, state, FailoverOptions(), random, now);
  node.Step(NodeId("b"), HeartbeatAnswer{epoch, now + seconds(1), true, {}}, now);
  EXPECT_FALSE(node.HasLease(now));
  node.Step(NodeId("b"), HeartbeatAnswer{epoch, now, true, {}}, now);
  EXPECT_TRUE(node.HasLease(now));
}

TEST(Failover, StoresAPromiseBeforeItIsSent) {
  std::mt19937_64 random(1);
  const TimePoint now{std::chrono::hours(1)};
  const std::vector<NodeId> holders{NodeId("a"), NodeId("b"), NodeId("c")};
  Failover node(NodeId("a"), holders, HolderState(), FailoverOptions(), random, now);
  node.Step(NodeId("b"), AskPromise{1, holders, false}, now + seconds(3));
  const auto output = node.TakeOutput();
  ASSERT_EQ(output.size(), 1u);
  const HolderState bound = std::get<Failover::Persist>(output[0]).state;
  EXPECT_EQ(bound.promised(), 1u);
  node.Persisted(bound, {{1, NodeId("c")}, 7}, now + seconds(3));
  const auto answer = node.TakeOutput();
  ASSERT_EQ(answer.size(), 1u);
  const auto& sent = std::get<Failover::Send>(answer[0]);
  EXPECT_EQ(sent.to, NodeId("b"));
  const Version position{{1, NodeId("c")}, 7};
  EXPECT_EQ(std::get<Promise>(sent.message).position, position) << "as of when it was durable";
}

TEST(Failover, ANewSpaceHasItsPrimaryAtOnce) {
  FailoverCluster cluster(3, 1, FailoverCluster::Space::kNew);
  cluster.Create(1);
  cluster.RunFor(seconds(1));
  EXPECT_EQ(cluster.AgreedPrimary(), NodeId("b"));
  EXPECT_EQ(cluster.newest_counter(), 1u);
}

TEST(Failover, ASpaceIsCreatedWithoutAHolderThatIsGone) {
  FailoverCluster cluster(3, 1, FailoverCluster::Space::kNew);
  cluster.Crash(0);
  cluster.Create(1);
  cluster.RunFor(seconds(1));
  EXPECT_TRUE(cluster.HasLease(1));
}

TEST(Failover, OfTwoCreatorsOneIsPrimary) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    FailoverCluster cluster(3, seed, FailoverCluster::Space::kNew);
    cluster.Create(0);
    cluster.Create(1);
    cluster.RunFor(seconds(10));
    EXPECT_NE(cluster.AgreedPrimary(), std::nullopt) << "seed " << seed;
  }
}

TEST(Failover, AnOfficeIsHandedOverWithoutAWait) {
  for (const size_t size : {2u, 3u, 5u}) {
    FailoverCluster cluster(size);
    cluster.RunFor(seconds(5));
    cluster.HandOver(0, 1);
    EXPECT_FALSE(cluster.node(0).IsPrimary()) << "it takes no writes from then on";
    cluster.RunFor(milliseconds(300));
    EXPECT_TRUE(cluster.HasLease(1)) << size << " holders";
    cluster.RunFor(seconds(1));
    EXPECT_EQ(cluster.AgreedPrimary(), NodeId("b"));
    EXPECT_EQ(cluster.newest_counter(), 2u);
  }
}

TEST(Failover, AnOfficeThatNobodyTakesGoesToSomebodySoon) {
  FailoverCluster cluster(3);
  cluster.RunFor(seconds(5));
  cluster.HandOver(0, 1);
  cluster.Crash(1);
  cluster.RunFor(seconds(8));
  EXPECT_TRUE(cluster.HasLease(0) != cluster.HasLease(2));
}

}  // namespace
}  // namespace engram::replication
