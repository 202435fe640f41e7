// A node never forms a second cluster, nor slips into one that is not its own (SPEC C1).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engram/base/error.h"
#include "support/requests.h"
#include "support/views.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;

TestClusterOptions Nodes(int nodes, int started) {
  TestClusterOptions options;
  options.nodes = nodes;
  options.started = started;
  return options;
}

std::vector<std::string> PeerAddresses(const TestCluster& cluster) {
  std::vector<std::string> addresses;
  for (int i : cluster.Indexes()) addresses.push_back(cluster.PeerAddress(i));
  return addresses;
}

// Node 1 of a cluster of which only the founder runs, run to its end.
class NewNode : public ::testing::Test {
 protected:
  CommandResult Run(std::vector<std::string> flags) {
    cluster_.SetFlags(kNew, std::move(flags));
    Stopwatch since_start;
    CommandResult result = RunCommand(cluster_.ServeCommand(kNew));
    since_start.Print("refused after");
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(StatusOf(cluster_, 0).total(), 1u) << "nobody has joined";
    EXPECT_EQ(Logged(cluster_, 0, "joined"), 0u);
    return result;
  }

  static constexpr int kNew = 1;
  TestCluster cluster_{Nodes(2, 1)};
};

TEST_F(NewNode, IsRefusedByAClusterOfAnotherName) {
  const CommandResult result = Run({"--cluster", "elsewhere"});
  EXPECT_THAT(result.err, HasSubstr("'test'"));
  EXPECT_THAT(result.err, HasSubstr("'elsewhere'"));
}

TEST_F(NewNode, IsRefusedIfItsIdIsTheSeedsOwn) {
  const CommandResult result = Run({"--node-id", "node-1"});
  EXPECT_THAT(result.err, HasSubstr("has the id node-1, too"));
}

TEST_F(NewNode, IsRefusedIfOthersCannotDialWhatItAdvertises) {
  const CommandResult result = Run({"--advertise", "127.0.0.1:1"});
  EXPECT_THAT(result.err, HasSubstr("cannot dial this node at 127.0.0.1:1"));
  EXPECT_THAT(result.err, HasSubstr("`advertise`"));
}

TEST(OneCluster, ANewNodeWithTheIdOfALiveOneIsRefused) {
  TestCluster cluster(Nodes(3, 2));
  cluster.SetFlags(2, {"--node-id", "node-2"});
  const CommandResult result = RunCommand(cluster.ServeCommand(2));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("there is a node node-2 already, alive at " + cluster.PeerAddress(1)));
  EXPECT_EQ(InfoOf(cluster, 0, 1).address(), cluster.PeerAddress(1));
}

TEST(OneCluster, ANewNodeThatAdvertisesAnothersAddressIsRefused) {
  TestCluster cluster(Nodes(3, 2));
  cluster.SetFlags(2, {"--advertise", cluster.PeerAddress(1)});
  const CommandResult result = RunCommand(cluster.ServeCommand(2));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("node node-2 answers there; set `advertise`"));
  EXPECT_EQ(StatusOf(cluster, 0).total(), 2u);
}

// Two founders of one name. Neither a seed nor a member's old address leads from one to the other.
TEST(OneCluster, AMemberOfAnotherClusterOfTheSameNameNeverJoins) {
  TestCluster cluster(Nodes(2, 1));
  cluster.SetSeeds(1, {});
  cluster.Start(1);
  cluster.AwaitReady(1);
  const std::string ids[] = {cluster.ClusterId(0), cluster.ClusterId(1)};
  ASSERT_NE(ids[0], ids[1]);
  cluster.Kill9(1);
  cluster.SetSeeds(1, {cluster.PeerAddress(0)});
  cluster.Start(1);
  // By then it has asked its seed several times, which nobody is told.
  EXPECT_TRUE(Eventually([&] { return InfoOf(cluster, 1, 1).uptime_ms() > 3'000; }));
  EXPECT_EQ(StatusOf(cluster, 1).connectivity(), "connected");
  for (int i : {0, 1}) {
    EXPECT_EQ(cluster.ClusterId(i), ids[i]);
    EXPECT_EQ(StatusOf(cluster, i).total(), 1u);
    EXPECT_EQ(Logged(cluster, i, "joined"), 0u);
  }
}

TEST(OneCluster, WhoeverFoundsAnotherOneAtAMembersAddressIsForeign) {
  TestCluster cluster(Nodes(2, 2));
  const std::string id = cluster.ClusterId(0);
  cluster.Kill9(1);
  cluster.Wipe(1);
  cluster.SetSeeds(1, {});
  cluster.Start(1);
  cluster.AwaitReady(1);
  EXPECT_TRUE(Eventually([&] { return AllSee(cluster, {0}, 1, v1::NODE_STATE_DEAD); }));
  EXPECT_EQ(cluster.ClusterId(0), id);
  EXPECT_NE(cluster.ClusterId(1), id);
  EXPECT_EQ(StatusOf(cluster, 0).total(), 2u);
  EXPECT_EQ(StatusOf(cluster, 1).total(), 1u);
}

TEST(OneCluster, AFounderThatRestartsFirstIsCutOffUntilTheOthersCome) {
  TestCluster cluster(Nodes(3, 3));
  const std::string id = cluster.ClusterId();
  const std::string space = cluster.SpaceOn(0);
  ASSERT_TRUE(cluster.Client({0})->Store(MakeStore(space, "m", "tea")).ok());
  for (int i : cluster.Indexes()) cluster.Kill9(i);
  cluster.Start(0);
  cluster.AwaitReady(0);
  EXPECT_EQ(cluster.ClusterId(), id);
  EXPECT_NE(StatusOf(cluster, 0).connectivity(), "connected");
  auto alone = cluster.Client({0});
  auto got = alone->Get(MakeGet(space, "m"));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(got->degraded);
  const absl::Status refused =
      alone->Store(MakeStore(cluster.SpaceOn(0, "new"), "m", "tea")).status();
  EXPECT_EQ(CodeOf(refused), ErrorCode::kNoLocalData) << refused;
  EXPECT_GT(DetailOf(refused).retry_after, Duration::zero());

  cluster.Start(1);
  cluster.Start(2);
  cluster.AwaitWhole();
  for (int i : cluster.Indexes()) EXPECT_EQ(cluster.ClusterId(i), id);
  EXPECT_EQ(Logged(cluster, 0, "founded_cluster"), 1u);
  EXPECT_FALSE(alone->Get(MakeGet(space, "m"))->degraded);
}

TEST(OneCluster, AFounderWhoseDiskIsEmptyJoinsWhatItOnceFounded) {
  TestCluster cluster(Nodes(3, 3));
  const std::string id = cluster.ClusterId();
  cluster.Kill9(0);
  cluster.Wipe(0);
  cluster.SetSeeds(0, PeerAddresses(cluster));
  cluster.SetFlags(0, {"--bootstrap", "on"});
  cluster.Start(0);
  cluster.AwaitWhole();
  EXPECT_EQ(cluster.ClusterId(0), id);
  EXPECT_EQ(Logged(cluster, 0, "founded_cluster"), 1u) << "in its first life";
  EXPECT_EQ(Logged(cluster, 0, "joined_cluster"), 1u);
}

TEST(OneCluster, OfSeveralThatMayFoundOneDoes) {
  TestCluster cluster(Nodes(5, 0));
  for (int i : cluster.Indexes()) {
    cluster.SetSeeds(i, PeerAddresses(cluster));
    cluster.SetFlags(i, {"--bootstrap", "on"});
  }
  for (int i : cluster.Indexes()) cluster.Start(i);
  Stopwatch since_start;
  cluster.AwaitWhole();
  since_start.Print("5 nodes that may all found are one cluster");
  std::set<std::string> ids;
  size_t founded = 0;
  for (int i : cluster.Indexes()) {
    ids.insert(cluster.ClusterId(i));
    founded += Logged(cluster, i, "founded_cluster");
  }
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(founded, 1u);
}

TEST(OneCluster, WhoMayFoundButFindsAClusterJoinsIt) {
  TestCluster cluster(Nodes(3, 1));
  for (int i : {1, 2}) {
    cluster.SetSeeds(i, PeerAddresses(cluster));
    cluster.SetFlags(i, {"--bootstrap", "on"});
    cluster.Start(i);
  }
  cluster.AwaitWhole();
  EXPECT_EQ(cluster.ClusterId(1), cluster.ClusterId(0));
  EXPECT_EQ(cluster.ClusterId(2), cluster.ClusterId(0));
}

}  // namespace
}  // namespace engram::testing
