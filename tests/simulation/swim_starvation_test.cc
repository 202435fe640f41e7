// Slow message handling, by the method of the Lifeguard paper (Dadgar et al., 2018, §V): of 128
// nodes some handle no message for `blocked`, then all that waited, again and again for two
// minutes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "simulation/swim_cluster.h"

namespace engram::simulation {
namespace {

using membership::Change;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Deaths that anybody declared of nodes that were never starved.
size_t FalseDeathsOfHealthy(const membership::SwimOptions& swim, size_t starved, uint64_t seed) {
  SwimSimOptions options;
  options.nodes = 128;
  options.seed = seed;
  options.swim = swim;
  SwimCluster cluster(options);
  cluster.StartFormed();
  cluster.Run(seconds(15));
  for (const TimePoint end = cluster.now() + seconds(120); cluster.now() < end;) {
    const Duration blocked = milliseconds(16'384);
    for (size_t i = 0; i < starved; ++i) cluster.network().Stall(i, cluster.now() + blocked);
    cluster.Run(blocked + milliseconds(64));
  }
  size_t deaths = 0;
  for (const SwimEvent& event : cluster.events()) {
    deaths += event.change == Change::kDied && event.subject >= starved;
  }
  return deaths;
}

class Starved : public testing::TestWithParam<size_t> {};

TEST_P(Starved, WithLifeguardAtLeastTwentyTimesFewerFalseDeaths) {
  const size_t plain = FalseDeathsOfHealthy(PlainSwim(), GetParam(), 1);
  const size_t lifeguard = FalseDeathsOfHealthy({}, GetParam(), 1);
  fmt::print("{} of 128 nodes starved: {} false deaths with plain SWIM, {} with Lifeguard\n",
             GetParam(), plain, lifeguard);
  EXPECT_GT(plain, 0u);
  EXPECT_LE(20 * lifeguard, plain);
}

INSTANTIATE_TEST_SUITE_P(Swim, Starved, testing::Values(1, 4, 16, 32));

}  // namespace
}  // namespace engram::simulation
