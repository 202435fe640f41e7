// What a cluster remembers when all of its nodes stop, and whom it counts (SPEC C1, R12).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "support/requests.h"
#include "support/views.h"

namespace engram::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class WholeClusterRestarts : public ::testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(After, WholeClusterRestarts, ::testing::Values(SIGKILL, SIGTERM),
                         [](const auto& test) { return test.param == SIGKILL ? "Kill" : "Term"; });

// Everybody's own death, or leaving, may be on the others' disks.
TEST_P(WholeClusterRestarts, AndIsTheSameClusterWithAllItsData) {
  TestClusterOptions options;
  options.nodes = 5;
  TestCluster cluster(options);
  const std::string id = cluster.ClusterId();
  std::vector<std::string> spaces;
  for (int i : cluster.Indexes()) {
    spaces.push_back(cluster.SpaceOn(i));
    ASSERT_TRUE(cluster.Client({i})->Store(MakeStore(spaces.back(), "m", "tea")).ok());
  }
  for (int i : cluster.Indexes()) cluster.node(i).Signal(GetParam());
  for (int i : cluster.Indexes()) ASSERT_TRUE(cluster.node(i).Wait(60s).has_value());
  for (int i : cluster.Indexes()) cluster.Start(i);
  Stopwatch since_start;
  cluster.AwaitWhole();
  since_start.Print("5 nodes that restart at once are whole again");
  for (int i : cluster.Indexes()) {
    EXPECT_EQ(cluster.ClusterId(i), id);
    EXPECT_EQ(Logged(cluster, i, "founded_cluster"), i == TestCluster::kFounder ? 1u : 0u);
    for (int other : cluster.Indexes()) {
      EXPECT_TRUE(Eventually([&] { return AllSee(cluster, {i}, other, v1::NODE_STATE_ALIVE); }))
          << i << " " << other;
    }
  }
  for (const std::string& space : spaces) {
    EXPECT_TRUE(Eventually([&] { return AllKnow(cluster, cluster.Indexes(), space); })) << space;
    EXPECT_TRUE(AllGet(cluster, cluster.Indexes(), space, "m")) << space;
  }
}

class Total : public ::testing::Test {
 protected:
  static TestClusterOptions Options(std::vector<std::string> flags) {
    TestClusterOptions options;
    options.nodes = 5;
    options.flags = std::move(flags);
    return options;
  }
  // One after the other, so that each has to learn the rest from the others or from its disk.
  void RestartAllOf(const std::vector<int>& nodes) {
    for (int i : nodes) cluster_.Kill9(i);
    for (int i : nodes) cluster_.Start(i);
    EXPECT_TRUE(Eventually([&] {
      return std::all_of(nodes.begin(), nodes.end(), [&](int i) {
        const v1::GetStatusResponse status = StatusOf(cluster_, i);
        return status.connectivity() == "connected" && status.reachable() == nodes.size();
      });
    }));
  }
  bool NobodyLists(const std::vector<int>& at, int about) {
    return std::all_of(at.begin(), at.end(),
                       [&](int i) { return InfoOf(cluster_, i, about).id().empty(); });
  }

  TestCluster cluster_{Options({"--reap-after", "1s"})};
};

TEST_F(Total, CountsTheDeadThoughNobodyListsThemUntilTheyAreRemovedAndNotWhoHasLeft) {
  const int left = 3;
  const int dead = 4;
  const std::vector<int> rest = {0, 1, 2};
  cluster_.Stop(left);
  EXPECT_TRUE(Eventually([&] { return AllCount(cluster_, rest, 4); }));
  cluster_.Kill9(dead);
  ASSERT_TRUE(Eventually([&] { return Logged(cluster_, 0, "dead", dead) == 1; }));
  EXPECT_TRUE(Eventually([&] { return NobodyLists(rest, dead); })) << "reaped";
  EXPECT_TRUE(AllCount(cluster_, rest, 4));
  RestartAllOf(rest);
  EXPECT_TRUE(AllCount(cluster_, rest, 4));

  const CommandResult alive = cluster_.Cli(0, {"nodes", "--remove", cluster_.Name(1)});
  EXPECT_EQ(alive.exit_code, 1);
  EXPECT_THAT(alive.err, HasSubstr("node-2 is not dead"));
  ASSERT_TRUE(Eventually([&] { return StatusOf(cluster_, 0).total() == 4; }));
  const CommandResult removed = cluster_.Cli(0, {"nodes", "--remove", cluster_.Name(dead)});
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_TRUE(Eventually([&] { return AllCount(cluster_, rest, 3); }));
  RestartAllOf(rest);
  EXPECT_TRUE(AllCount(cluster_, rest, 3));
  EXPECT_THAT(cluster_.Cli(0, {"status"}).out, HasSubstr("3 of 3"));
}

}  // namespace
}  // namespace engram::testing
