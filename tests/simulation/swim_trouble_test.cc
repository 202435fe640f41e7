// Membership while the network or the nodes misbehave: loss, one-way cuts, splits, flapping, churn.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "simulation/swim_cluster.h"

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

size_t CountOf(const SwimCluster& cluster, Change change) {
  size_t count = 0;
  for (const SwimEvent& event : cluster.events()) count += event.change == change;
  return count;
}

TEST(SwimTrouble, AHealthyClusterOfTenSuspectsNobodyInADay) {
  SwimCluster cluster(Nodes(10, 1));
  cluster.StartFormed();
  cluster.Run(std::chrono::hours(24));
  EXPECT_TRUE(cluster.events().empty());
  EXPECT_TRUE(cluster.Agree());
}

TEST(SwimTrouble, LostDatagramsMakeNobodyDead) {
  for (double loss : {0.05, 0.2}) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      SwimSimOptions options = Nodes(20, seed);
      options.link.loss = loss;
      options.link.duplication = 0.05;
      SwimCluster cluster(options);
      cluster.StartFormed();
      cluster.Run(minutes(10));
      EXPECT_EQ(cluster.FalseDeaths(), 0u) << "loss " << loss << ", seed " << seed;
    }
  }
}

// It hears nobody, but all hear it: it must not bury the others.
TEST(SwimTrouble, ADeafNodeIsTheOnlyOneTakenForDead) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SwimCluster cluster(Nodes(10, seed));
    cluster.StartFormed();
    cluster.Run(seconds(5));
    for (size_t i = 0; i < 10; ++i) {
      if (i != 1) cluster.network().Cut(i, 1);
    }
    cluster.Run(minutes(5));
    EXPECT_EQ(cluster.HoldIt(1, MemberState::kDead), 9u) << "seed " << seed;
    for (const SwimEvent& event : cluster.events()) {
      if (event.observer == 1 || event.change != Change::kDied) continue;
      EXPECT_EQ(event.subject, 1u) << "seed " << seed;
    }
    EXPECT_TRUE(cluster.partition(1).LocalOnly());
    EXPECT_FALSE(cluster.partition(0).LocalOnly());
  }
}

TEST(SwimTrouble, AMuteNodeIsTakenForDeadAndKnowsThatItIsCutOff) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SwimCluster cluster(Nodes(10, seed));
    cluster.StartFormed();
    cluster.Run(seconds(5));
    for (size_t i = 0; i < 10; ++i) {
      if (i != 1) cluster.network().Cut(1, i);
    }
    cluster.Run(minutes(5));
    EXPECT_EQ(cluster.HoldIt(1, MemberState::kDead), 9u) << "seed " << seed;
    EXPECT_EQ(cluster.swim(0).members().CountOf(MemberState::kAlive), 9u) << "seed " << seed;
    EXPECT_TRUE(cluster.partition(1).LocalOnly()) << "seed " << seed;
    cluster.network().Heal();
    cluster.Run(seconds(20));
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
  }
}

enum class Way : uint8_t { kIn, kOut };

// The two of them hear each other, which is no majority.
void ExpectTwoOfFiveKnowThatTheyAreCutOff(Way cut) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SwimCluster cluster(Nodes(5, seed));
    cluster.StartFormed();
    cluster.Run(seconds(5));
    for (size_t one : {0, 1}) {
      for (size_t other : {2, 3, 4}) {
        cluster.network().Cut(cut == Way::kIn ? other : one, cut == Way::kIn ? one : other);
      }
    }
    cluster.Run(minutes(1));
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(cluster.partition(i).LocalOnly(), i < 2) << i << ", seed " << seed;
    }
    EXPECT_EQ(cluster.partition(0).reach(), (membership::Reach{2, 5})) << "seed " << seed;
    cluster.network().Heal();
    cluster.Run(seconds(30));
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
    EXPECT_FALSE(cluster.partition(0).LocalOnly()) << "seed " << seed;
  }
}

TEST(SwimTrouble, TwoOfFiveThatAreNotHeardKnowThatTheyAreCutOff) {
  ExpectTwoOfFiveKnowThatTheyAreCutOff(Way::kOut);
}

TEST(SwimTrouble, TwoOfFiveThatHearNobodyElseKnowThatTheyAreCutOff) {
  ExpectTwoOfFiveKnowThatTheyAreCutOff(Way::kIn);
}

TEST(SwimTrouble, TwoThatDoNotReachEachOtherAreAliveThroughOthers) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SwimCluster cluster(Nodes(5, seed));
    cluster.StartFormed();
    cluster.network().Cut(0, 1);
    cluster.network().Cut(1, 0);
    cluster.Run(minutes(5));
    EXPECT_EQ(CountOf(cluster, Change::kSuspected), 0u) << "seed " << seed;
  }
}

struct Cut {
  size_t nodes;
  size_t side;
  Duration noticed_max;
  uint64_t seeds;
};

class SplitOf : public testing::TestWithParam<Cut> {
 protected:
  static bool LocalOnly(const SwimCluster& cluster, size_t from, size_t to, bool wanted) {
    for (size_t i = from; i < to; ++i) {
      if (cluster.partition(i).LocalOnly() != wanted) return false;
    }
    return true;
  }
};

// SPEC R12: who has no strict majority knows it, nobody else does, and all is well 15 s after.
TEST_P(SplitOf, OnlyWhoHasNoMajorityIsCutOffUntilTheHeal) {
  const Cut cut = GetParam();
  for (uint64_t seed = 1; seed <= cut.seeds; ++seed) {
    SwimCluster cluster(Nodes(cut.nodes, seed));
    cluster.StartFormed();
    cluster.Run(seconds(5));
    std::vector<size_t> side;
    for (size_t i = 0; i < cut.side; ++i) side.push_back(i);
    cluster.Split(side);
    cluster.Run(cut.noticed_max);
    EXPECT_TRUE(LocalOnly(cluster, 0, cut.side, true)) << "seed " << seed;
    const bool half = 2 * cut.side == cut.nodes;
    EXPECT_TRUE(LocalOnly(cluster, cut.side, cut.nodes, half)) << "seed " << seed;
    cluster.Run(minutes(2));
    cluster.network().Heal();
    cluster.Run(seconds(15));
    EXPECT_TRUE(LocalOnly(cluster, 0, cut.nodes, false)) << "seed " << seed;
    cluster.Run(seconds(15));
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Swim, SplitOf,
                         testing::Values(Cut{2, 1, seconds(10), 50}, Cut{3, 1, seconds(10), 50},
                                         Cut{5, 2, seconds(10), 100}, Cut{5, 1, seconds(10), 50},
                                         Cut{10, 5, seconds(20), 20}, Cut{100, 30, seconds(30), 2}),
                         [](const auto& cut) {
                           return fmt::format("{}From{}", cut.param.side, cut.param.nodes);
                         });

TEST(SwimTrouble, AFlappingNodeHarmsOnlyItself) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SwimCluster cluster(Nodes(10, seed));
    cluster.StartFormed();
    for (int i = 0; i < 30; ++i) {
      cluster.Run(seconds(4));
      cluster.Split({1});
      cluster.Run(seconds(4));
      cluster.network().Heal();
    }
    cluster.Run(seconds(20));
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
    for (const SwimEvent& event : cluster.events()) {
      EXPECT_FALSE(event.change == Change::kDied && event.subject != 1 && event.observer != 1)
          << "seed " << seed;
    }
  }
}

// Kills, restarts, pauses and departures of any node but one, at random, among lost datagrams.
void Churn(SwimCluster& cluster, Duration length) {
  std::uniform_int_distribution<size_t> any(1, cluster.size() - 1);
  for (const TimePoint end = cluster.now() + length; cluster.now() < end;) {
    const size_t i = any(cluster.random());
    switch (cluster.random()() % 4) {
      case 0:
        if (cluster.IsRunning(i)) cluster.Kill(i);
        break;
      case 1:
        if (!cluster.IsRunning(i)) cluster.Start(i, 0);
        break;
      case 2:
        cluster.Pause(i, seconds(3));
        break;
      default:
        cluster.Leave(i);
        cluster.Run(seconds(1));
        if (cluster.IsRunning(i)) cluster.Kill(i);
    }
    cluster.Run(milliseconds(500));
  }
}

TEST(SwimTrouble, AfterAnyChurnAllAgreeWithinAMinuteAndAHalf) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SwimSimOptions options = Nodes(16, seed);
    options.link.loss = 0.05;
    SwimCluster cluster(options);
    cluster.StartFormed();
    Churn(cluster, minutes(2));
    cluster.Run(seconds(90));
    EXPECT_TRUE(cluster.Agree()) << "seed " << seed;
    EXPECT_LE(cluster.datagram_bytes_max(), 1'400u);
  }
}

}  // namespace
}  // namespace engram::simulation
