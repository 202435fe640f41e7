// Names of seeds, by a real DNS server: A, AAAA and SRV records, and what becomes of a node's list
// of seeds when they change while it runs (SPEC C2).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "engram/base/error.h"
#include "engram/cluster/seeds.h"
#include "support/dns_server.h"

namespace engram::testing {
namespace {

using namespace std::chrono_literals;
using cluster::DnsOptions;
using cluster::DnsResolver;
using cluster::Seeds;
using cluster::SeedsOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Addresses = std::vector<std::string>;
using Result = absl::StatusOr<Addresses>;

class DnsTest : public ::testing::Test {
 protected:
  // Lets the loop work until it is true.
  bool RunUntil(const std::function<bool()>& condition) {
    return Eventually([&] {
      loop_.RunReady();
      return condition();
    });
  }
  DnsOptions Options() const { return {.servers = {server_.address()}, .limit = 20s}; }

  DnsServer server_;
  net::EventLoop loop_;
};

class RealDnsTest : public DnsTest {
 protected:
  Result Host(const std::string& name) {
    std::optional<Result> result;
    resolver_.ResolveHost(name, 7000, [&](Result r) { result = std::move(r); });
    EXPECT_TRUE(RunUntil([&] { return result.has_value(); }));
    return *result;
  }
  Result Service(const std::string& name) {
    std::optional<Result> result;
    resolver_.ResolveService(name, [&](Result r) { result = std::move(r); });
    EXPECT_TRUE(RunUntil([&] { return result.has_value(); }));
    return *result;
  }

  DnsResolver resolver_{loop_, Options()};
};

TEST_F(RealDnsTest, GivesAllAddressesOfANameInOneOrder) {
  server_.SetAddresses("a.test", {"10.0.0.20", "10.0.0.3", "fd00::2", "fd00::1"});
  for (int i = 0; i < 5; ++i) {  // the server turns them round
    const Result result = Host("a.test");
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(*result,
                ElementsAre("10.0.0.3:7000", "10.0.0.20:7000", "[fd00::1]:7000", "[fd00::2]:7000"));
  }
}

TEST_F(RealDnsTest, OneFamilyIsEnough) {
  server_.SetAddresses("four.test", {"10.0.0.4"});
  server_.SetAddresses("six.test", {"fd00::6"});
  EXPECT_THAT(Host("four.test").value_or(Addresses{}), ElementsAre("10.0.0.4:7000"));
  EXPECT_THAT(Host("six.test").value_or(Addresses{}), ElementsAre("[fd00::6]:7000"));
}

TEST_F(RealDnsTest, TellsANameThatIsNoneFromOneWithoutSuchRecords) {
  server_.SetAddresses("a.test", {"10.0.0.3"});
  server_.SetServices("_s._tcp.test", {{"a.test", 7001}});
  const absl::Status none[] = {Host("b.test").status(), Service("_b._tcp.test").status()};
  for (const absl::Status& status : none) {
    EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidEndpoint);
    EXPECT_THAT(std::string(status.message()), HasSubstr("DNS knows no "));
  }
  const absl::Status other[] = {Host("_s._tcp.test").status(), Service("a.test").status()};
  for (const absl::Status& status : other) {
    EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidEndpoint);
    EXPECT_THAT(std::string(status.message()), HasSubstr("has no such records"));
  }
}

TEST_F(RealDnsTest, GivesAServiceByPriorityAndWeightWithThePortsOfItsRecords) {
  server_.SetAddresses("a.test", {"10.0.0.1"});
  server_.SetAddresses("b.test", {"10.0.0.2", "fd00::2"});
  server_.SetAddresses("c.test", {"10.0.0.3"});
  server_.SetServices(
      "_s._tcp.test",
      {{"c.test", 7003, 20, 100}, {"a.test", 7001, 10, 1}, {"b.test", 7002, 10, 50}});
  const Result result = Service("_s._tcp.test");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(*result,
              ElementsAre("10.0.0.2:7002", "[fd00::2]:7002", "10.0.0.1:7001", "10.0.0.3:7003"));
}

TEST_F(RealDnsTest, LeavesTargetsOutThatHaveNoAddress) {
  server_.SetAddresses("a.test", {"10.0.0.1"});
  server_.SetServices("_s._tcp.test", {{"gone.test", 7001, 0}, {"a.test", 7002, 1}});
  EXPECT_THAT(Service("_s._tcp.test").value_or(Addresses{}), ElementsAre("10.0.0.1:7002"));
  server_.SetServices("_s._tcp.test", {{"gone.test", 7001}});
  EXPECT_THAT(std::string(Service("_s._tcp.test").status().message()),
              HasSubstr("DNS knows no gone.test"));
}

TEST_F(RealDnsTest, TakesALargeAnswerByTcpAndNotMoreThanTheBound) {
  Addresses many;
  for (int i = 0; i < 400; ++i) many.push_back(fmt::format("10.0.{}.{}", i / 200, i % 200 + 1));
  server_.SetAddresses("many.test", many);
  const Result result = Host("many.test");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->size(), DnsOptions().addresses_max);
  EXPECT_EQ(result->front(), "10.0.0.1:7000");
  EXPECT_EQ(result->back(), "10.0.1.56:7000");
}

TEST_F(RealDnsTest, SaysThatNoServerAnswers) {
  server_.SetAddresses("a.test", {"10.0.0.1"});
  server_.Stop();
  EXPECT_EQ(CodeOf(Host("a.test").status()), ErrorCode::kConnectionFailed);
  server_.Start();
  EXPECT_TRUE(Host("a.test").ok());
}

class SeedsOfDnsTest : public DnsTest {
 protected:
  SeedsOfDnsTest() {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
    logger->set_pattern("%v");
    previous_ = spdlog::default_logger();
    spdlog::set_default_logger(logger);
  }
  ~SeedsOfDnsTest() override {
    seeds_.reset();
    spdlog::set_default_logger(previous_);
  }

  void Start(const Addresses& seeds, const Addresses& own = {}, Duration limit = 20s) {
    SeedsOptions options{.seeds = seeds, .own = own, .refresh = 20ms, .dns = Options()};
    options.dns.limit = limit;
    auto made = Seeds::Make(loop_, options);
    ASSERT_TRUE(made.ok()) << made.status();
    seeds_ = *std::move(made);
    seeds_->Start([this] { lists_.push_back(seeds_->addresses()); });
  }
  // Until the node's list is that.
  bool Becomes(const Addresses& addresses) {
    return RunUntil([&] { return seeds_->settled() && seeds_->addresses() == addresses; });
  }
  bool RefreshedMore(uint64_t times) {
    const auto count = [&] {
      return seeds_->counters().resolved.value() + seeds_->counters().failed.value();
    };
    const uint64_t until = count() + times;
    return RunUntil([&] { return count() >= until; });
  }
  size_t Logged(const std::string& event) {
    size_t times = 0;
    const std::string log = log_.str();
    for (size_t at = log.find(event); at != std::string::npos; at = log.find(event, at + 1)) {
      ++times;
    }
    return times;
  }

  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> previous_;
  std::unique_ptr<Seeds> seeds_;
  std::vector<Addresses> lists_;  // each that was told
};

TEST_F(SeedsOfDnsTest, AreAddressesNamesAndServicesTogether) {
  server_.SetAddresses("a.test", {"10.0.0.1", "10.0.0.9"});
  server_.SetServices("_s._tcp.test", {{"a.test", 7001}});
  Start({"10.0.0.5:1", "a.test:7000", "_s._tcp.test"}, {"10.0.0.9:7000"});
  EXPECT_THAT(seeds_->addresses(), ElementsAre("10.0.0.5:1"));
  EXPECT_FALSE(seeds_->settled());
  EXPECT_TRUE(Becomes({"10.0.0.5:1", "10.0.0.1:7000", "10.0.0.1:7001", "10.0.0.9:7001"}));
  EXPECT_EQ(log_.str(), "") << "nothing went wrong";
}

TEST_F(SeedsOfDnsTest, FollowTheRecordsWhileRunning) {
  server_.SetAddresses("a.test", {"10.0.0.1"});
  Start({"a.test:7000"});
  ASSERT_TRUE(Becomes({"10.0.0.1:7000"}));
  server_.SetAddresses("a.test", {"10.0.0.1", "10.0.0.2"});
  EXPECT_TRUE(Becomes({"10.0.0.1:7000", "10.0.0.2:7000"})) << "a new one is used";
  server_.SetAddresses("a.test", {"10.0.0.2"});
  EXPECT_TRUE(Becomes({"10.0.0.2:7000"})) << "an old one is not";
  EXPECT_TRUE(RefreshedMore(5));
  EXPECT_EQ(lists_.size(), 3u) << "told only when it has changed";
}

TEST_F(SeedsOfDnsTest, FollowServicesWhileRunning) {
  server_.SetAddresses("a.test", {"10.0.0.1"});
  server_.SetServices("_s._tcp.test", {{"a.test", 7001}});
  Start({"_s._tcp.test"});
  ASSERT_TRUE(Becomes({"10.0.0.1:7001"}));
  server_.SetServices("_s._tcp.test", {{"a.test", 7001}, {"a.test", 7002, 1}});
  EXPECT_TRUE(Becomes({"10.0.0.1:7001", "10.0.0.1:7002"}));
}

TEST_F(SeedsOfDnsTest, StayWhileDnsIsDownWhichIsSaidOnce) {
  server_.SetAddresses("a.test", {"10.0.0.1"});
  Start({"a.test:7000"});
  ASSERT_TRUE(Becomes({"10.0.0.1:7000"}));
  server_.Stop();
  ASSERT_TRUE(RunUntil([&] { return seeds_->counters().failed.value() >= 3; }));
  EXPECT_THAT(seeds_->addresses(), ElementsAre("10.0.0.1:7000"));
  EXPECT_EQ(lists_.size(), 1u);
  EXPECT_EQ(Logged("event=seed_unresolved seed=a.test:7000 reason="), 1u) << log_.str();
  server_.SetAddresses("a.test", {"10.0.0.2"});
  server_.Start();
  EXPECT_TRUE(Becomes({"10.0.0.2:7000"}));
  EXPECT_EQ(Logged("event=seed_resolved seed=a.test:7000"), 1u) << log_.str();
}

TEST_F(SeedsOfDnsTest, StayWhileDnsIsSilent) {
  server_.SetAddresses("a.test", {"10.0.0.1"});
  Start({"a.test:7000"}, {}, 200ms);
  ASSERT_TRUE(Becomes({"10.0.0.1:7000"}));
  server_.Pause();
  ASSERT_TRUE(RunUntil([&] { return seeds_->counters().failed.value() >= 2; }));
  EXPECT_THAT(seeds_->addresses(), ElementsAre("10.0.0.1:7000"));
  server_.Continue();
  const uint64_t before = seeds_->counters().resolved.value();
  EXPECT_TRUE(RunUntil([&] { return seeds_->counters().resolved.value() > before; }));
}

TEST_F(SeedsOfDnsTest, MayBeginBeforeTheirRecords) {
  Start({"a.test:7000"});
  ASSERT_TRUE(RunUntil([&] { return seeds_->settled(); }));
  EXPECT_THAT(lists_, ElementsAre(IsEmpty())) << "that nobody is there is told, too";
  server_.SetAddresses("a.test", {"10.0.0.1"});
  EXPECT_TRUE(Becomes({"10.0.0.1:7000"}));
}

TEST_F(SeedsOfDnsTest, LeaveThisNodeOutByItsName) {
  server_.SetAddresses("all.test", {"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  server_.SetAddresses("me.test", {"10.0.0.2"});
  Start({"all.test:7000"}, {"me.test:7000"});
  EXPECT_TRUE(Becomes({"10.0.0.1:7000", "10.0.0.3:7000"}));
}

}  // namespace
}  // namespace engram::testing
