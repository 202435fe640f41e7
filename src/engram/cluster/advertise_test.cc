#include "engram/cluster/advertise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "engram/base/error.h"

namespace engram::cluster {
namespace {

using ::testing::HasSubstr;
using Seeds = std::vector<std::string>;

struct Case {
  const char* address;
  Seeds seeds;
  const char* refused_for;  // "" if it is allowed
};

const char kLoopback[] =
    "loopback, which is allowed only if all seeds are on loopback, too, or "
    "there are none, but seed 10.0.0.1:50051 is not";

class CheckAdvertisedTest : public ::testing::TestWithParam<Case> {};

TEST_P(CheckAdvertisedTest, LetsOnlyThroughWhatOthersCanDial) {
  const auto& [address, seeds, refused_for] = GetParam();
  const absl::Status status = CheckAdvertised({"gossip-advertise", address}, seeds);
  if (*refused_for == '\0') {
    EXPECT_TRUE(status.ok()) << status;
    return;
  }
  EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidEndpoint);
  EXPECT_EQ(DetailOf(status).field, "gossip-advertise");
  EXPECT_THAT(std::string(status.message()), HasSubstr(refused_for));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(std::string("others cannot dial ") + address + ": "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("set `gossip-advertise` to a host:port"));
}

INSTANTIATE_TEST_SUITE_P(
    Addresses, CheckAdvertisedTest,
    ::testing::Values(
        Case{"10.0.0.7:7946", {}, ""}, Case{"10.0.0.7:7946", {"127.0.0.1:50051"}, ""},
        Case{"[fd00::7]:7946", {"10.0.0.1:50051"}, ""}, Case{"node7:7946", {}, ""},
        Case{"169.254.1.1:1", {}, ""}, Case{"0.0.0.0:7946", {}, "any address"},
        Case{"[::]:7946", {}, "any address"}, Case{"[::ffff:0.0.0.0]:7946", {}, "any address"},
        Case{"0.1.2.3:7946", {}, "no host's address"}, Case{"10.0.0.7:0", {}, "port 0"},
        Case{"node7:0", {}, "port 0"}, Case{"224.0.0.1:7946", {}, "multicast"},
        Case{"[ff02::1]:7946", {}, "multicast"}, Case{"255.255.255.255:7946", {}, "broadcast"},
        Case{"[fe80::1]:7946", {}, "link-local"}, Case{"10.0.0.7", {}, "not a host:port"},
        Case{"", {}, "not a host:port"}, Case{":7946", {}, "not a host:port"},
        Case{"fd00::7:7946", {}, "not a host:port"}, Case{"a:65536", {}, "not a host:port"}));

INSTANTIATE_TEST_SUITE_P(
    Loopback, CheckAdvertisedTest,
    ::testing::Values(Case{"127.0.0.1:1", {}, ""}, Case{"[::1]:1", {}, ""},
                      Case{"127.0.0.2:1", {"127.0.0.1:50051", "[::1]:50051"}, ""},
                      Case{"localhost:1", {"localhost:50051"}, ""},
                      // What these stand for is not known yet.
                      Case{"127.0.0.1:1", {"seeds.test:50051", "_engram._tcp.test"}, ""},
                      Case{"127.0.0.1:1", {"127.0.0.1:50051", "10.0.0.1:50051"}, kLoopback},
                      Case{"[::1]:1", {"10.0.0.1:50051"}, kLoopback},
                      Case{"[::ffff:127.0.0.1]:1", {"10.0.0.1:50051"}, kLoopback},
                      Case{"localhost:1", {"10.0.0.1:50051"}, kLoopback},
                      Case{"127.0.0.1:1", {"[fd00::1]:50051"}, "but seed [fd00::1]:50051 is not"}));

class CheckAdvertisedNameTest : public ::testing::Test {
 protected:
  static std::string Refusal(const absl::StatusOr<Seeds>& resolved, const Seeds& seeds) {
    const absl::Status status = CheckAdvertisedName({"advertise", "node7:50051"}, resolved, seeds);
    EXPECT_TRUE(status.ok() || DetailOf(status).field == "advertise");
    return std::string(status.message());
  }
};

TEST_F(CheckAdvertisedNameTest, TakesANameThatOthersCanDial) {
  EXPECT_EQ(Refusal(Seeds{"10.0.0.7:50051", "[fd00::7]:50051"}, {"10.0.0.1:50051"}), "");
}

TEST_F(CheckAdvertisedNameTest, RefusesANameThatIsNone) {
  EXPECT_THAT(Refusal(MakeError(ErrorCode::kInvalidEndpoint, "there is no such name"), {}),
              HasSubstr("cannot be resolved (there is no such name); set `advertise`"));
  EXPECT_THAT(Refusal(Seeds{}, {}), HasSubstr("its name has no addresses"));
}

TEST_F(CheckAdvertisedNameTest, RefusesTheLoopbackOfItsOwnHostsFile) {
  EXPECT_EQ(Refusal(Seeds{"127.0.1.1:50051"}, {"127.0.0.1:50051"}), "");
  EXPECT_THAT(Refusal(Seeds{"127.0.1.1:50051"}, {"10.0.0.1:50051"}),
              HasSubstr("its name stands for 127.0.1.1 here: it is this machine's loopback"));
  EXPECT_THAT(Refusal(Seeds{"10.0.0.7:50051", "0.0.0.0:50051"}, {}),
              HasSubstr("its name stands for 0.0.0.0 here: it stands for any address"));
}

TEST(IsAdvertisedByName, TellsNamesFromNumbers) {
  EXPECT_TRUE(IsAdvertisedByName("node7:50051"));
  EXPECT_FALSE(IsAdvertisedByName("10.0.0.7:50051"));
  EXPECT_FALSE(IsAdvertisedByName("[fd00::7]:50051"));
  EXPECT_FALSE(IsAdvertisedByName("node7"));
}

}  // namespace
}  // namespace engram::cluster
