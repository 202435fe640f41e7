// SPEC C1: how soon a death, a departure and a return are known, and by whom, in clusters of 3 to
// 1,000 nodes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "simulation/swim_figures.h"

namespace engram::simulation {
namespace {

using membership::Change;
using membership::MemberState;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

SwimSimOptions Nodes(size_t nodes, uint64_t seed) {
  SwimSimOptions options;
  options.nodes = nodes;
  options.seed = seed;
  return options;
}

// When the last of the others noted `change` of `subject`; nullopt unless all did.
std::optional<Duration> AllNoted(const SwimCluster& cluster, size_t subject, Change change,
                                 TimePoint from) {
  size_t noted = 0;
  TimePoint last{};
  for (const SwimEvent& event : cluster.events()) {
    if (event.subject != subject || event.change != change || event.at < from) continue;
    ++noted;
    last = event.at;
  }
  if (noted != cluster.size() - 1) return std::nullopt;
  return last - from;
}

struct Size {
  size_t nodes;
  uint64_t seeds;
  Duration death_max;      // until all know of a crash
  Duration departure_max;  // until all know of a graceful stop
};

class OfSize : public testing::TestWithParam<Size> {};

TEST_P(OfSize, ACrashIsKnownToAllAndNobodyElseIsTakenForDead) {
  for (uint64_t seed = 1; seed <= GetParam().seeds; ++seed) {
    SwimCluster cluster(Nodes(GetParam().nodes, seed));
    cluster.StartFormed();
    cluster.Run(seconds(5));
    cluster.Kill(1);
    const TimePoint killed = cluster.now();
    cluster.Run(GetParam().death_max);
    ASSERT_TRUE(AllNoted(cluster, 1, Change::kDied, killed).has_value()) << "seed " << seed;
    EXPECT_EQ(cluster.FalseDeaths(), 0u) << "seed " << seed;
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
  }
}

TEST_P(OfSize, AGracefulStopIsKnownToAllWithinTwoSeconds) {
  for (uint64_t seed = 1; seed <= GetParam().seeds; ++seed) {
    SwimCluster cluster(Nodes(GetParam().nodes, seed));
    cluster.StartFormed();
    cluster.Run(seconds(5));
    const TimePoint left = cluster.now();
    cluster.Leave(1);
    while (!cluster.swim(1).HasLeft()) cluster.Run(milliseconds(50));
    cluster.Kill(1);
    cluster.Run(left + GetParam().departure_max - cluster.now());
    EXPECT_TRUE(AllNoted(cluster, 1, Change::kLeft, left).has_value()) << "seed " << seed;
    EXPECT_EQ(cluster.swim(0).ReachAt(cluster.now()).total, cluster.size() - 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Swim, OfSize,
                         testing::Values(Size{3, 50, seconds(10), seconds(2)},
                                         Size{5, 50, seconds(10), seconds(2)},
                                         Size{10, 50, seconds(10), seconds(2)},
                                         Size{100, 5, seconds(15), seconds(2)},
                                         Size{1'000, 1, seconds(25), seconds(2)}),
                         [](const auto& size) { return fmt::format("{}Nodes", size.param.nodes); });

TEST(SwimDetection, FiveNodesStartedFromOneSeedAreAClusterInFiveSeconds) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SwimCluster cluster(Nodes(5, seed));
    cluster.Start(0);
    for (size_t i = 1; i < 5; ++i) cluster.Start(i, 0);
    cluster.Run(seconds(5));
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
  }
}

TEST(SwimDetection, APauseOfTwoSecondsMakesNobodyDead) {
  for (size_t nodes : {2, 3, 5, 20}) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      SwimCluster cluster(Nodes(nodes, seed));
      cluster.StartFormed();
      cluster.Run(seconds(5) + milliseconds(seed * 20));
      cluster.Pause(1, seconds(2));
      cluster.Run(seconds(20));
      EXPECT_EQ(cluster.FalseDeaths(), 0u) << nodes << " nodes, seed " << seed;
      EXPECT_TRUE(cluster.Agree()) << nodes << " nodes, seed " << seed;
    }
  }
}

// It was taken for dead with good reason; what it thought of others while it stood still is
// nothing.
TEST(SwimDetection, AfterALongPauseTheNodeComesBackAndBuriesNobody) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SwimCluster cluster(Nodes(5, seed));
    cluster.StartFormed();
    cluster.Run(seconds(5));
    cluster.Pause(1, seconds(60));
    cluster.Run(seconds(59));
    EXPECT_EQ(cluster.HoldIt(1, MemberState::kDead), 4u) << "seed " << seed;
    cluster.Run(seconds(11));
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
    for (const SwimEvent& event : cluster.events()) {
      EXPECT_FALSE(event.change == Change::kDied && event.subject != 1) << "seed " << seed;
    }
  }
}

TEST(SwimDetection, ARestartWithinASecondIsNoDeath) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SwimCluster cluster(Nodes(5, seed));
    cluster.StartFormed();
    cluster.Run(seconds(5));
    cluster.Kill(1);
    cluster.Run(seconds(1));
    cluster.Start(1, 0);
    cluster.Run(seconds(5));
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
    EXPECT_GE(cluster.swim(1).incarnation(), membership::Incarnation{2});
    for (const SwimEvent& event : cluster.events()) {
      EXPECT_NE(event.change, Change::kDied) << "seed " << seed;
    }
  }
}

TEST(SwimDetection, AfterAMassRestartAllFindTogetherByWhatTheyStored) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SwimCluster cluster(Nodes(10, seed));
    cluster.StartFormed();
    cluster.Run(seconds(5));
    cluster.Kill(9);
    cluster.Run(seconds(15));
    for (size_t i = 0; i < 9; ++i) cluster.Kill(i);
    cluster.Run(seconds(30));
    for (size_t i = 0; i < 9; ++i) {
      cluster.Start(i);
      cluster.Run(milliseconds(300));
    }
    cluster.Run(seconds(30));
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
    EXPECT_EQ(cluster.swim(0).ReachAt(cluster.now()), (membership::Reach{9, 10}));
  }
}

TEST(SwimDetection, AnIdleNodeSendsLittle) {
  for (size_t nodes : {5, 100}) {
    const IdleFigures idle = MeasureIdle(nodes, minutes(10), 1);
    fmt::print("{} nodes, idle: {:.0f} bytes/s in datagrams, {:.0f} in full states, each\n", nodes,
               idle.datagrams, idle.full_states);
    EXPECT_LT(idle.datagrams, 150);
    EXPECT_LT(idle.full_states, 10.0 * static_cast<double>(nodes));
  }
}

TEST(SwimDetection, TheSameSeedGivesTheSameTrace) {
  const auto trace = [](uint64_t seed) {
    SwimCluster cluster(Nodes(20, seed));
    cluster.StartFormed();
    cluster.Kill(3);
    cluster.Run(seconds(30));
    return cluster.scheduler().trace();
  };
  EXPECT_EQ(trace(1), trace(1));
  EXPECT_NE(trace(1), trace(2));
}

}  // namespace
}  // namespace engram::simulation
