// GET /metrics of real nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <string>

#include "support/cluster.h"

namespace engram::testing {
namespace {

using boost::asio::ip::tcp;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kDuration[] = "engram_routing_request_duration_seconds_count";

class HttpPeer {
 public:
  explicit HttpPeer(const std::string& address) : socket_(context_) {
    const size_t colon = address.find(':');
    socket_.connect({boost::asio::ip::make_address(address.substr(0, colon)),
                     static_cast<uint16_t>(std::stoi(address.substr(colon + 1)))});
  }
  std::string Ask(const std::string& request) {
    boost::asio::write(socket_, boost::asio::buffer(request));
    std::string answer;
    boost::system::error_code end;
    boost::asio::read(socket_, boost::asio::dynamic_buffer(answer), end);
    return answer;
  }

 private:
  boost::asio::io_context context_;
  tcp::socket socket_;
};

std::string Scrape(const TestCluster& cluster, int node) {
  return HttpPeer(cluster.HttpAddress(node)).Ask("GET /metrics HTTP/1.0\r\n\r\n");
}

// The value of a series; 0 if it is not there.
double ValueOf(const std::string& scraped, const std::string& series) {
  const size_t at = scraped.find("\n" + series + " ");
  return at == std::string::npos ? 0 : std::stod(scraped.substr(at + series.size() + 2));
}

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
