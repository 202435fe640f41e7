// Real nodes find each other, notice who is gone, and know again who comes back (SPEC C1, C3), with
// the times that membership has by default. How long things take is printed, not judged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <iostream>
#include <map>

#include "support/requests.h"
#include "support/views.h"

namespace engram::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr int kVictim = 3;

class Membership : public ::testing::Test {
 protected:
  static TestClusterOptions Five() {
    TestClusterOptions options;
    options.nodes = 5;
    return options;
  }
  // A space that the ring gives to node i, made there, with the memory "m".
  static std::string SpaceMadeAt(const TestCluster& cluster, int i,
                                 const std::string& prefix = "s") {
    std::string space = cluster.SpaceOn(i, prefix);
    auto stored = cluster.Client({i})->Store(MakeStore(space, "m", "made at " + cluster.Name(i)));
    EXPECT_TRUE(stored.ok()) << stored.status();
    return space;
  }
  static size_t LoggedByAll(const TestCluster& cluster, const std::string& event) {
    size_t count = 0;
    for (int i : cluster.Indexes()) count += Logged(cluster, i, event);
    return count;
  }
};

TEST_F(Membership, FiveNodesFormOneClusterFromOneSeed) {
  TestClusterOptions options = Five();
  options.started = 0;
  TestCluster cluster(options);
  for (int i : cluster.Indexes()) cluster.Start(i);
  Stopwatch since_last_start;
  cluster.AwaitWhole();
  since_last_start.Print("5 nodes form a cluster from one seed (goal 5000 ms)");
  for (int i : cluster.Indexes()) {
    EXPECT_EQ(cluster.ClusterId(i), cluster.ClusterId());
    for (int other : Others(cluster, i)) EXPECT_EQ(Logged(cluster, i, "joined", other), 1u) << i;
  }
  EXPECT_EQ(LoggedByAll(cluster, "founded_cluster"), 1u);
  EXPECT_EQ(LoggedByAll(cluster, "dead"), 0u);
  const CommandResult status = cluster.Cli(kVictim, {"status"});
  EXPECT_THAT(status.out, HasSubstr("is whole: 5 of 5 nodes reached"));
}

TEST_F(Membership, AKilledNodeIsHeldDeadByAll) {
  TestCluster cluster(Five());
  const std::vector<int> others = Others(cluster, kVictim);
  cluster.Kill9(kVictim);
  Stopwatch since_death;
  EXPECT_TRUE(Eventually([&] { return AllSee(cluster, others, kVictim, v1::NODE_STATE_DEAD); }));
  since_death.Print("kill -9 is noticed by the 4 others (goal 10000 ms)");
  for (int i : others) {
    EXPECT_EQ(Logged(cluster, i, "dead", kVictim), 1u) << i;
    EXPECT_EQ(Logged(cluster, i, "suspect", kVictim), 1 + Logged(cluster, i, "refuted", kVictim));
    EXPECT_EQ(Logged(cluster, i, "left", kVictim), 0u) << i;
  }
  EXPECT_EQ(LoggedByAll(cluster, "dead"), others.size()) << "and nobody else";
  EXPECT_TRUE(AllCount(cluster, others, 5)) << "who is dead counts (SPEC R12)";
}

TEST_F(Membership, ANodeThatIsStoppedHasLeftForAll) {
  TestCluster cluster(Five());
  const std::vector<int> others = Others(cluster, kVictim);
  cluster.node(kVictim).Signal(SIGTERM);
  Stopwatch since_stop;
  EXPECT_TRUE(Eventually([&] { return AllSee(cluster, others, kVictim, v1::NODE_STATE_LEFT); }));
  since_stop.Print("SIGTERM is noticed by the 4 others (goal 2000 ms)");
  EXPECT_EQ(cluster.node(kVictim).Wait(60s), 0);
  EXPECT_TRUE(Eventually([&] { return AllCount(cluster, others, 4); }));
  for (int i : others) EXPECT_EQ(Logged(cluster, i, "left", kVictim), 1u) << i;
  EXPECT_EQ(LoggedByAll(cluster, "dead"), 0u);
}

// "A SIGSTOP of 2 s makes nobody dead": neither the node that stands still, by the others' word,
// nor the others by its own when it goes on.
TEST_F(Membership, WhoStandsStillForTwoSecondsBuriesNobodyAndIsNotBuried) {
  TestCluster cluster(Five());
  for (int i : cluster.Indexes()) {
    cluster.node(i).Stop();
    const auto until = std::chrono::steady_clock::now() + 2s;
    EXPECT_TRUE(Eventually([&] { return std::chrono::steady_clock::now() >= until; }));
    cluster.node(i).Signal(SIGCONT);
    EXPECT_TRUE(
        Eventually([&] { return AllSee(cluster, Others(cluster, i), i, v1::NODE_STATE_ALIVE); }));
  }
  cluster.AwaitWhole();
  EXPECT_EQ(LoggedByAll(cluster, "dead"), 0u);
  const size_t suspected = LoggedByAll(cluster, "suspect");
  std::cout << "[ MEASURED ] lines event=suspect in 5 logs: " << suspected << "\n";
}

TEST_F(Membership, ANodeThatRestartsAtOnceIsBackWithItsDataAndKnowsAllAssignments) {
  TestCluster cluster(Five());
  std::vector<std::string> spaces;
  for (int i : cluster.Indexes()) spaces.push_back(SpaceMadeAt(cluster, i));
  const std::vector<int> others = Others(cluster, kVictim);
  std::map<int, uint64_t> before;
  for (int i : others) before[i] = InfoOf(cluster, i, kVictim).incarnation();
  cluster.Kill9(kVictim);
  // It has never been told of this one.
  spaces.push_back(SpaceMadeAt(cluster, 0, "meanwhile"));
  cluster.Start(kVictim);
  Stopwatch since_start;
  cluster.AwaitWhole();
  for (int i : others) {
    EXPECT_TRUE(Eventually([&] {
      const v1::NodeInfo info = InfoOf(cluster, i, kVictim);
      return info.incarnation() > before[i] && info.state() == v1::NODE_STATE_ALIVE;
    })) << i;
  }
  since_start.Print("a node that restarts after kill -9 is back for all");
  for (const std::string& space : spaces) {
    EXPECT_TRUE(Eventually([&] { return AllKnow(cluster, {kVictim}, space); })) << space;
    EXPECT_TRUE(AllGet(cluster, cluster.Indexes(), space, "m")) << space;
  }
  EXPECT_GE(InfoOf(cluster, kVictim, kVictim).table_version(), spaces.size());
  EXPECT_EQ(LoggedByAll(cluster, "dead"), 0u);
  EXPECT_EQ(LoggedByAll(cluster, "founded_cluster"), 1u);
  for (int i : others) EXPECT_EQ(Logged(cluster, i, "joined", kVictim), 1u) << i;
}

TEST_F(Membership, ANodeThatWasHeldDeadJoinsAgainOnce) {
  TestCluster cluster(Five());
  const std::vector<int> others = Others(cluster, kVictim);
  const std::string space = SpaceMadeAt(cluster, kVictim);
  cluster.Kill9(kVictim);
  ASSERT_TRUE(Eventually([&] { return AllSee(cluster, others, kVictim, v1::NODE_STATE_DEAD); }));
  cluster.Start(kVictim);
  Stopwatch since_start;
  cluster.AwaitWhole();
  since_start.Print("a dead node that restarts is back for all");
  EXPECT_TRUE(AllGet(cluster, cluster.Indexes(), space, "m"));
  for (int i : others) {
    EXPECT_EQ(Logged(cluster, i, "joined", kVictim), 2u) << i;
    EXPECT_EQ(Logged(cluster, i, "dead", kVictim), 1u) << i;
  }
}

TEST_F(Membership, AnAssignmentIsKnownToAllThoughNobodyAsks) {
  TestCluster cluster(Five());
  for (int i : cluster.Indexes()) {
    const std::string space = cluster.SpaceOn(i);
    ASSERT_FALSE(AllKnow(cluster, {kVictim}, space));
    ASSERT_TRUE(cluster.Client({i})->Store(MakeStore(space, "m", "tea")).ok());
    Stopwatch since_made;
    EXPECT_TRUE(Eventually([&] { return AllKnow(cluster, cluster.Indexes(), space); })) << space;
    since_made.Print("an assignment of node " + std::to_string(i + 1) + " is known to all");
  }
}

}  // namespace
}  // namespace engram::testing
