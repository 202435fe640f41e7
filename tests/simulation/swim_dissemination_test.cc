// SPEC C3: how soon a piece of news is everywhere, in rounds of gossip.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "simulation/swim_figures.h"

namespace engram::simulation {
namespace {

struct Spread {
  size_t nodes;
  double loss;
  uint64_t seeds;
};

class Dissemination : public testing::TestWithParam<Spread> {};

TEST_P(Dissemination, ReachesNinetyNinePercentInLogarithmicallyManyRounds) {
  const auto [nodes, loss, seeds] = GetParam();
  double worst = 0;
  size_t missed = 0;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::vector<double> rounds = RoundsUntilKnown(nodes, loss, seed);
    const size_t most = (nodes - 1) * 99 / 100;
    ASSERT_GE(rounds.size(), most) << "seed " << seed;
    worst = std::max(worst, rounds[most - 1]);
    missed += nodes - 1 - rounds.size();
  }
  fmt::print("{} nodes, {:.0f} % lost: 99 % know after {:.1f} rounds at worst; {} of {} never\n",
             nodes, loss * 100, worst, missed, (nodes - 1) * seeds);
  EXPECT_LE(worst, 0.5 * std::log2(nodes) + 2);
}

INSTANTIATE_TEST_SUITE_P(Swim, Dissemination,
                         testing::Values(Spread{10, 0, 100}, Spread{100, 0, 20},
                                         Spread{1'000, 0, 2}, Spread{100, 0.1, 20}));

}  // namespace
}  // namespace engram::simulation
