#include "engram/net/udp_destinations.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engram/net/testing/fixture.h"

namespace engram::net::internal {
namespace {

using namespace std::chrono_literals;

class UdpDestinationsTest : public ::testing::Test {
 protected:
  void Make(UdpReach reach) {
    destinations_ = std::make_shared<UdpDestinations>(
        loop_, reach, counters_, [this](const UdpEndpoint& to, std::string_view bytes) {
          delivered_.push_back(fmt::format("{} to {}", bytes, Text(to)));
        });
  }
  ~UdpDestinationsTest() override {
    if (destinations_ != nullptr) destinations_->Close();
  }

  static std::string Text(const UdpEndpoint& endpoint) {
    std::string text;
    WriteEndpoint(endpoint, text);
    return text;
  }
  // "" if it is not known.
  std::string Find(const std::string& address, Duration later = 0s) {
    const UdpEndpoint* found = destinations_->Find(address, "bytes", EventLoop::Now() + later);
    return found == nullptr ? "" : Text(*found);
  }
  bool RunUntil(const std::function<bool()>& condition) {
    return testing::Eventually([&] {
      loop_.RunReady();
      return condition();
    });
  }

  EventLoop loop_;
  std::shared_ptr<UdpCounters> counters_ = std::make_shared<UdpCounters>();
  std::shared_ptr<UdpDestinations> destinations_;
  std::vector<std::string> delivered_;
};

TEST_F(UdpDestinationsTest, NumbersAreKnownAtOnce) {
  Make(UdpReach::kBoth);
  EXPECT_EQ(Find("10.0.0.7:7946"), "10.0.0.7:7946");
  EXPECT_EQ(Find("[fd00::7]:7946"), "[fd00::7]:7946");
  EXPECT_TRUE(destinations_->Find("10.0.0.7:7946", "", {})->address().is_v6()) << "mapped";
}

TEST_F(UdpDestinationsTest, AFamilyThatTheSocketDoesNotSpeakIsUnreachable) {
  Make(UdpReach::kIpv4);
  EXPECT_EQ(Find("[fd00::7]:7946"), "");
  Make(UdpReach::kIpv6);
  EXPECT_EQ(Find("10.0.0.7:7946"), "");
  EXPECT_EQ(counters_->dropped_unreachable.value(), 2u);
}

TEST_F(UdpDestinationsTest, ForgetsTheNumbersWhenThereAreTooMany) {
  Make(UdpReach::kIpv4);
  for (size_t i = 0; i < 3 * UdpDestinations::kKnownMax; ++i) {
    const std::string address = fmt::format("10.0.{}.{}:1", i / 256, i % 256);
    EXPECT_EQ(Find(address), address);
    EXPECT_LE(destinations_->known(), UdpDestinations::kKnownMax);
  }
}

TEST_F(UdpDestinationsTest, KeepsANameAndServesItWhileItIsResolvedAgain) {
  Make(UdpReach::kIpv4);
  EXPECT_EQ(Find("localhost:7946"), "");
  ASSERT_TRUE(RunUntil([&] { return !delivered_.empty(); }));
  EXPECT_EQ(delivered_.front(), "bytes to 127.0.0.1:7946");
  EXPECT_EQ(Find("localhost:7946", 29s), "127.0.0.1:7946");
  loop_.RunReady();
  EXPECT_EQ(counters_->names_resolved.value(), 1u);
  EXPECT_EQ(Find("localhost:7946", 31s), "127.0.0.1:7946");
  EXPECT_TRUE(RunUntil([&] { return counters_->names_resolved.value() == 2; }));
}

TEST_F(UdpDestinationsTest, ANameThatIsNoneIsAskedForAgainLater) {
  Make(UdpReach::kIpv4);
  EXPECT_EQ(Find("no_such_name..:1"), "");
  ASSERT_TRUE(RunUntil([&] { return counters_->names_failed.value() == 1; }));
  EXPECT_EQ(Find("no_such_name..:1"), "");
  EXPECT_EQ(counters_->dropped_unresolved.value(), 2u);
  EXPECT_EQ(Find("no_such_name..:1", 2s), "");
  EXPECT_TRUE(RunUntil([&] { return counters_->names_failed.value() == 2; }));
}

TEST_F(UdpDestinationsTest, ResolvesABoundedNumberOfNamesAtOnce) {
  Make(UdpReach::kIpv4);
  // Nobody answers while the loop does not run.
  for (size_t i = 0; i < UdpDestinations::kResolvingMax + 10; ++i) {
    EXPECT_EQ(Find(fmt::format("localhost:{}", i + 1)), "");
  }
  EXPECT_EQ(counters_->dropped_unresolved.value(), 10u);
  EXPECT_TRUE(RunUntil([&] { return delivered_.size() == UdpDestinations::kResolvingMax; }));
  EXPECT_EQ(Find("localhost:70"), "");
  EXPECT_TRUE(RunUntil([&] { return delivered_.size() > UdpDestinations::kResolvingMax; }));
}

}  // namespace
}  // namespace engram::net::internal
