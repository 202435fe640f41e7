// GET /metrics of real nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "support/cluster.h"
#include "support/scrape.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kDuration[] = "engram_routing_request_duration_seconds_count";

void Store(const TestCluster& cluster, int through, const std::string& space, const char* id) {
  const CommandResult stored =
      cluster.Cli(through, {"store", "--space", space, "--id", id, "tea is at four"});
  ASSERT_EQ(stored.exit_code, 0) << stored.err;
}

TEST(Metrics, ARequestThatIsPassedOnIsCountedWhereItCameInAndWhereItWasServed) {
  TestCluster cluster;
  const std::string space = cluster.SpaceOn(0);
  Store(cluster, 1, space, "tea");
  Store(cluster, 0, space, "cup");
  EXPECT_EQ(cluster.Cli(1, {"get", "--space", space, "tea"}).exit_code, 0);
  const std::string entry = Scrape(cluster, 1);
  EXPECT_EQ(ValueOf(entry, std::string(kDuration) + R"({strategy="primary",outcome="ok"})"), 1);
  EXPECT_EQ(
      ValueOf(entry, std::string(kDuration) + R"({strategy="primary_with_fallback",outcome="ok"})"),
      1);
  EXPECT_EQ(ValueOf(entry, "engram_routing_hops_total"), 2);
  EXPECT_EQ(ValueOf(entry, "engram_routing_redirects_total"), 0);
  EXPECT_GE(ValueOf(entry, R"(engram_pool_channels_ready{node="node-1"})"), 1);
  EXPECT_EQ(ValueOf(entry, "engram_routing_table_spaces"), 1);
  const std::string owner = Scrape(cluster, 0);
  EXPECT_EQ(ValueOf(owner, R"(engram_peer_requests_total{outcome="ok"})"), 2);
  EXPECT_EQ(ValueOf(owner, std::string(kDuration) + R"({strategy="local",outcome="ok"})"), 1);
  EXPECT_EQ(ValueOf(owner, "engram_routing_hops_total"), 0);
}

TEST(Metrics, ANodeThatIsGoneShowsInOutcomeAndRetries) {
  TestCluster cluster;
  const std::string space = cluster.SpaceOn(2);
  Store(cluster, 0, space, "tea");
  cluster.Kill9(2);
  EXPECT_NE(cluster.Cli(0, {"get", "--space", space, "tea"}).exit_code, 0);
  const std::string scraped = Scrape(cluster, 0);
  EXPECT_THAT(scraped, HasSubstr("engram_routing_retries_total{reason=\""));
  EXPECT_THAT(scraped, Not(HasSubstr(std::string(kDuration) +
                                     R"({strategy="primary_with_fallback",outcome="ok"})")));
}

TEST(Metrics, WhoHoldsAConnectionOpenDoesNotHoldUpTheEnd) {
  TestClusterOptions options;
  options.nodes = 1;
  TestCluster cluster(options);
  HttpPeer silent(cluster.HttpAddress(0));
  EXPECT_THAT(Scrape(cluster, 0), HasSubstr(" 200 OK\r\n"));
  cluster.node(0).Signal(SIGTERM);
  EXPECT_EQ(cluster.node(0).Wait(std::chrono::seconds(30)), 0);
}

TEST(Metrics, CanBeOff) {
  TestClusterOptions options;
  options.nodes = 1;
  options.flags = {"--http", "off"};
  TestCluster cluster(options);
  EXPECT_THROW(HttpPeer(cluster.HttpAddress(0)), boost::system::system_error);
}

}  // namespace
}  // namespace engram::testing
