// SPEC C1, C2: nodes that start in any order and at any time, among crashes, splits and lost
// packets, are one cluster in the end, and never two.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "simulation/join_cluster.h"

namespace engram::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kLoss = 0.05;

uint64_t Seeds() {
  const char* seeds = std::getenv("ENGRAM_SIM_SEEDS");
  return seeds == nullptr ? 200 : std::max(1ULL, std::strtoull(seeds, nullptr, 10));
}

JoinSimOptions Drawn(uint64_t seed) {
  std::mt19937_64 random(seed);
  return {std::uniform_int_distribution<size_t>(3, 50)(random), seed, kLoss};
}

std::string Again(uint64_t seed) {
  return fmt::format("again with ENGRAM_SIM_SEEDS={}, whose last seed fails", seed);
}

size_t Below(JoinCluster& cluster, size_t end) { return cluster.random()() % end; }

void StartOrKill(JoinCluster& cluster, size_t i) {
  if (cluster.IsRunning(i)) {
    cluster.Kill(i);
  } else {
    cluster.Start(i);
  }
}

void SplitAtRandom(JoinCluster& cluster) {
  std::vector<size_t> side;
  for (size_t i = 0; i < cluster.size(); ++i) {
    if (Below(cluster, 2) == 0) side.push_back(i);
  }
  cluster.Split(side);
}

// First starts in any order, crashes, restarts, splits and heals, for about a minute.
void Disturb(JoinCluster& cluster) {
  const size_t steps = 2 * cluster.size();
  for (size_t step = 0; step < steps; ++step) {
    switch (Below(cluster, 8)) {
      case 0:
        SplitAtRandom(cluster);
        break;
      case 1:
      case 2:
        cluster.network().Heal();
        break;
      default:
        StartOrKill(cluster, Below(cluster, cluster.size()));
    }
    cluster.Run(milliseconds(Below(cluster, 120'000 / steps)));
  }
}

void StartAll(JoinCluster& cluster) {
  for (size_t i = 0; i < cluster.size(); ++i) {
    if (!cluster.IsRunning(i)) cluster.Start(i);
  }
}

// Seeds are asked in turn, three every two seconds: to ask 49 takes this long, and a while is
// waited before a cluster is founded.
constexpr Duration kJoinedWithin = seconds(50);

// Until everybody has joined; a little more than a minute if they have not by then.
Duration UntilJoined(JoinCluster& cluster) {
  const TimePoint from = cluster.now();
  while (!cluster.AllHaveJoined() && cluster.now() - from <= seconds(60)) {
    cluster.Run(milliseconds(100));
  }
  return cluster.now() - from;
}

// What the runs of all seeds took.
class Times {
 public:
  void Add(Duration took) { all_.push_back(took); }
  void Print(std::string_view what) {
    std::sort(all_.begin(), all_.end());
    const auto in_seconds = [](Duration d) { return std::chrono::duration<double>(d).count(); };
    fmt::print("{} seeds, {}: all have joined {:.1f} s (p50), {:.1f} s (most) later\n", all_.size(),
               what, in_seconds(all_[all_.size() / 2]), in_seconds(all_.back()));
  }

 private:
  std::vector<Duration> all_;
};

void ExpectOneCluster(JoinCluster& cluster, Duration within, Times& times, uint64_t seed) {
  const Duration took = UntilJoined(cluster);
  times.Add(took);
  ASSERT_LE(took, within) << Again(seed);
  ASSERT_EQ(cluster.founded().size(), 1u) << Again(seed);
  ASSERT_EQ(cluster.refused(), 0u) << Again(seed);
}

// The seeds of a node are any that come before it: some lead to the founder over many others.
void ConfigureWithAFounder(JoinCluster& cluster) {
  for (size_t i = 1; i < cluster.size(); ++i) {
    JoinConfig config;
    const size_t count = 1 + Below(cluster, 3);
    for (size_t k = 0; k < count; ++k) config.seeds.push_back(Below(cluster, i));
    cluster.Configure(i, config);
  }
}

std::vector<size_t> FirstNodes(size_t count) {
  std::vector<size_t> first(count);
  for (size_t i = 0; i < count; ++i) first[i] = i;
  return first;
}

TEST(Join, WithAFounderThereIsOneClusterWhateverHappensMeanwhile) {
  Times times;
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    JoinCluster cluster(Drawn(seed));
    ConfigureWithAFounder(cluster);
    Disturb(cluster);
    cluster.network().Heal();
    StartAll(cluster);
    ASSERT_NO_FATAL_FAILURE(ExpectOneCluster(cluster, seconds(20), times, seed));
  }
  times.Print("a founder");
}

TEST(Join, WithOneThatBootstrapsThereIsOneClusterWhateverHappensMeanwhile) {
  Times times;
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    JoinCluster cluster(Drawn(seed));
    const std::vector<size_t> seeds = FirstNodes(1 + Below(cluster, cluster.size()));
    const size_t founder = Below(cluster, seeds.size());
    for (size_t i = 0; i < cluster.size(); ++i) cluster.Configure(i, {seeds, i == founder});
    Disturb(cluster);
    cluster.network().Heal();
    StartAll(cluster);
    ASSERT_NO_FATAL_FAILURE(ExpectOneCluster(cluster, kJoinedWithin, times, seed));
  }
  times.Print("one bootstraps");
}

// All that are seeds, which reach each other; they start at once, or one by one, crash and come
// back. Whoever has founded stays.
TEST(Join, OfSeveralThatBootstrapOneFounds) {
  Times times;
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    JoinCluster cluster(Drawn(seed));
    const std::vector<size_t> seeds = FirstNodes(2 + Below(cluster, cluster.size() - 1));
    for (size_t i = 0; i < cluster.size(); ++i) cluster.Configure(i, {seeds, i < seeds.size()});
    if (seed % 2 == 0) StartAll(cluster);
    for (size_t step = 0; step < 2 * cluster.size(); ++step) {
      const size_t i = Below(cluster, cluster.size());
      if (!cluster.HasFounded(i)) StartOrKill(cluster, i);
      cluster.Run(milliseconds(Below(cluster, 20'000 / cluster.size())));
    }
    StartAll(cluster);
    ASSERT_NO_FATAL_FAILURE(ExpectOneCluster(cluster, kJoinedWithin, times, seed));
  }
  times.Print("several bootstrap");
}

// Its disk was replaced, and of its seeds only one is there.
TEST(Join, WhoBootstrapsAndHasLostItsDiskFindsTheClusterThatItFounded) {
  Times times;
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    JoinCluster cluster(Drawn(seed));
    const std::vector<size_t> seeds = FirstNodes(cluster.size());
    for (size_t i = 0; i < cluster.size(); ++i) cluster.Configure(i, {seeds, i == 0});
    StartAll(cluster);
    ASSERT_LE(UntilJoined(cluster), kJoinedWithin) << Again(seed);
    const size_t other = 1 + Below(cluster, cluster.size() - 1);
    for (size_t i = 0; i < cluster.size(); ++i) {
      if (i != other) cluster.Kill(i);
    }
    cluster.Wipe(0);
    cluster.Start(0);
    cluster.Run(seconds(20));
    EXPECT_TRUE(cluster.HasJoined(0)) << Again(seed);
    StartAll(cluster);
    ASSERT_NO_FATAL_FAILURE(ExpectOneCluster(cluster, kJoinedWithin, times, seed));
  }
  times.Print("a lost disk");
}

}  // namespace
}  // namespace engram::simulation
