// Slow message handling: what Lifeguard is for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "simulation/swim_figures.h"

namespace engram::simulation {
namespace {

class Starved : public testing::TestWithParam<size_t> {};

TEST_P(Starved, WithLifeguardAtLeastTwentyTimesFewerFalseDeaths) {
  const size_t plain = FalseDeathsOfHealthy(PlainSwim(), GetParam(), 1);
  const size_t lifeguard = FalseDeathsOfHealthy({}, GetParam(), 1);
  fmt::print("{} of 128 nodes starved: {} false deaths with plain SWIM, {} with Lifeguard\n",
             GetParam(), plain, lifeguard);
  EXPECT_GE(plain, 20u);
  EXPECT_LE(20 * lifeguard, plain);
}

INSTANTIATE_TEST_SUITE_P(Swim, Starved, testing::Values(1, 4, 8, 16, 32),
                         [](const auto& nodes) { return fmt::format("{}Of128", nodes.param); });

}  // namespace
}  // namespace engram::simulation
