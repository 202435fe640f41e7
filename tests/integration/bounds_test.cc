// That the bounds of a node's configuration reach its wire; how they work is tested in net/.
#include <gtest/gtest.h>

#include "support/cluster.h"

namespace engram::testing {
namespace {

TestClusterOptions OneNode(std::vector<std::string> flags) {
  TestClusterOptions options;
  options.nodes = 1;
  options.flags = std::move(flags);
  return options;
}

// Connections end when their end has been seen: of what is asked, only "in the end" is certain.
bool GetsIn(const TestCluster& cluster) {
  return Eventually([&] { return cluster.Cli(0, {"status"}).exit_code == 0; });
}

class OneConnection : public ::testing::TestWithParam<const char*> {};

TEST_P(OneConnection, TurnsTheSecondAwayWhileTheFirstIsThere) {
  TestCluster cluster(OneNode({GetParam(), "1"}));
  auto first = cluster.Client({0});
  ASSERT_TRUE(Eventually([&] { return first->GetStatus({}).ok(); }));
  EXPECT_EQ(cluster.Cli(0, {"status"}).exit_code, 3);
  first.reset();
  EXPECT_TRUE(GetsIn(cluster));
}

INSTANTIATE_TEST_SUITE_P(Bounds, OneConnection,
                         ::testing::Values("--connections-max", "--connections-per-address"));

class Leaves : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(Leaves, SoThatAnotherMayCome) {
  std::vector<std::string> flags = GetParam();
  flags.insert(flags.end(), {"--connections-max", "1"});
  TestCluster cluster(OneNode(flags));
  auto first = cluster.Client({0});
  ASSERT_TRUE(Eventually([&] { return first->GetStatus({}).ok(); }));
  EXPECT_TRUE(GetsIn(cluster)) << "the first connection was not told to go";
  EXPECT_TRUE(Eventually([&] { return first->GetStatus({}).ok(); }));
}

INSTANTIATE_TEST_SUITE_P(Bounds, Leaves,
                         ::testing::Values(std::vector<std::string>{"--connection-idle", "100ms"},
                                           std::vector<std::string>{"--connection-age", "100ms"}));

}  // namespace
}  // namespace engram::testing
