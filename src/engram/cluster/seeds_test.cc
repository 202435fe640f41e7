// What needs no DNS; tests/integration/dns_test.cc has the rest.
#include "engram/cluster/seeds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/base/error.h"

namespace engram::cluster {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class SeedsTest : public ::testing::Test {
 protected:
  std::string RefusedField() { return DetailOf(Seeds::Make(loop_, options_).status()).field; }

  net::EventLoop loop_;
  SeedsOptions options_;
};

TEST_F(SeedsTest, AddressesAreKnownFromTheBeginning) {
  options_.seeds = {"10.0.0.1:50051", "[fd00::1]:50051"};
  options_.own = {"10.0.0.1:50051"};
  auto seeds = Seeds::Make(loop_, options_);
  ASSERT_TRUE(seeds.ok()) << seeds.status();
  EXPECT_TRUE((*seeds)->settled());
  EXPECT_THAT((*seeds)->addresses(), ElementsAre("[fd00::1]:50051"));
  (*seeds)->Start([] { FAIL() << "nothing can change"; });
  loop_.RunReady();
}

TEST_F(SeedsTest, ABadOptionIsNamed) {
  options_.seeds = {"10.0.0.1:50051", "10.0.0.2"};
  EXPECT_EQ(RefusedField(), "seeds");
  options_.seeds.assign(Seeds::kSeedsMax + 1, "10.0.0.1:50051");
  EXPECT_EQ(RefusedField(), "seeds");
  options_.seeds.clear();
  options_.dns.servers = {"dns.example.org"};
  EXPECT_EQ(RefusedField(), "dns-servers");
  options_.dns.servers.clear();
  options_.refresh = 0s;
  EXPECT_EQ(RefusedField(), "dns-refresh");
}

}  // namespace
}  // namespace engram::cluster
