// Nodes that find their cluster by DNS, and each other again when its records change (SPEC C2).
#include <gtest/gtest.h>

#include "support/dns_server.h"
#include "support/views.h"

namespace engram::testing {
namespace {

constexpr char kService[] = "_engram._tcp.cluster.test";
constexpr char kHost[] = "nodes.cluster.test";

class DnsSeeds : public ::testing::Test {
 protected:
  static TestClusterOptions Options(int nodes, int started, const DnsServer& dns) {
    TestClusterOptions options;
    options.nodes = nodes;
    options.started = started;
    options.flags = {"--dns-servers", dns.address(), "--dns-refresh", "200ms"};
    return options;
  }
  // The SRV records are these nodes.
  void Name(const TestCluster& cluster, const std::vector<int>& nodes) {
    std::vector<DnsServer::Service> services;
    for (int i : nodes) services.push_back({kHost, cluster.Port(i)});
    dns_.SetServices(kService, services);
  }
  DnsSeeds() { dns_.SetAddresses(kHost, {"127.0.0.1"}); }

  DnsServer dns_;
};

TEST_F(DnsSeeds, ServiceRecordsLeadToTheCluster) {
  TestCluster cluster(Options(2, 1, dns_));
  Name(cluster, {0});
  cluster.SetSeeds(1, {kService});
  cluster.Start(1);
  cluster.AwaitWhole();
  EXPECT_EQ(cluster.ClusterId(1), cluster.ClusterId(0));
}

TEST_F(DnsSeeds, AHostsAddressesLeadToTheCluster) {
  TestCluster cluster(Options(2, 1, dns_));
  cluster.SetSeeds(1, {kHost + (":" + std::to_string(cluster.Port(0)))});
  cluster.Start(1);
  cluster.AwaitWhole();
  EXPECT_EQ(cluster.ClusterId(1), cluster.ClusterId(0));
}

TEST_F(DnsSeeds, ANodeWaitsForARecordAndFoundsNothingMeanwhile) {
  TestCluster cluster(Options(2, 1, dns_));
  cluster.SetSeeds(1, {kService});
  cluster.Start(1);
  cluster.AwaitReady(1);
  EXPECT_TRUE(Eventually([&] { return Logged(cluster, 1, "seed_unresolved") == 1; }));
  EXPECT_EQ(cluster.ClusterId(1), "");
  Name(cluster, {0});
  cluster.AwaitWhole();
  EXPECT_EQ(Logged(cluster, 1, "founded_cluster"), 0u);
}

// All four have got other addresses, as after a move to other machines, and each pair has only
// heard of its own.
TEST_F(DnsSeeds, ARecordThatComesLaterBringsTwoHalvesTogether) {
  TestCluster cluster(Options(4, 4, dns_));
  const std::string id = cluster.ClusterId();
  for (int i : cluster.Indexes()) cluster.Kill9(i);
  for (int i : cluster.Indexes()) cluster.Move(i);
  Name(cluster, {1});
  cluster.SetSeeds(0, {kService});
  cluster.SetSeeds(1, {cluster.PeerAddress(0)});
  cluster.SetSeeds(2, {cluster.PeerAddress(3)});
  cluster.SetSeeds(3, {cluster.PeerAddress(2)});
  for (int i : cluster.Indexes()) cluster.Start(i);
  const auto reach = [&](int i) { return StatusOf(cluster, i).reachable(); };
  ASSERT_TRUE(Eventually([&] {
    return AllSee(cluster, {0, 1}, 2, v1::NODE_STATE_DEAD) &&
           AllSee(cluster, {0, 1}, 3, v1::NODE_STATE_DEAD) && reach(0) == 2 && reach(3) == 2;
  }));
  EXPECT_EQ(StatusOf(cluster, 0).connectivity(), "partitioned");
  Name(cluster, {1, 2});
  Stopwatch since_record;
  cluster.AwaitWhole();
  since_record.Print("two halves are whole after a record of DNS came");
  for (int i : cluster.Indexes()) EXPECT_EQ(cluster.ClusterId(i), id);
}

}  // namespace
}  // namespace engram::testing
