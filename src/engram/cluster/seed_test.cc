#include "engram/cluster/seed.h"

#include <gtest/gtest.h>

#include "engram/base/error.h"

namespace engram::cluster {
namespace {

TEST(Seed, IsAnAddressANameOrAService) {
  EXPECT_EQ(*ParseSeed("10.0.0.7:50051"), (Seed{Seed::Kind::kAddress, "10.0.0.7", 50051}));
  EXPECT_EQ(*ParseSeed("[fd00::7]:1"), (Seed{Seed::Kind::kAddress, "fd00::7", 1}));
  EXPECT_EQ(*ParseSeed("node_7:65535"), (Seed{Seed::Kind::kHost, "node_7", 65535}));
  EXPECT_EQ(*ParseSeed("n7.example.org.:80"), (Seed{Seed::Kind::kHost, "n7.example.org.", 80}));
  EXPECT_EQ(*ParseSeed("_engram._tcp.example.org"),
            (Seed{Seed::Kind::kService, "_engram._tcp.example.org", 0}));
}

TEST(Seed, IsWrittenAsItIsRead) {
  for (const char* text :
       {"10.0.0.7:50051", "[fd00::7]:50051", "node7:50051", "_engram._tcp.example.org"}) {
    EXPECT_EQ(ParseSeed(text)->Text(), text);
  }
  EXPECT_EQ(ParseSeed("[FD00:0::7]:1")->Text(), "[fd00::7]:1") << "one way for one address";
}

TEST(Seed, OfAnyOtherFormIsRefusedAndNamed) {
  const std::string long_label(64, 'a');
  const std::string long_name = std::string(63, 'a') + "." + std::string(63, 'b') + "." +
                                std::string(63, 'c') + "." + std::string(63, 'd');
  for (const std::string& bad : {std::string(),
                                 std::string("node7"),
                                 std::string("10.0.0.7"),
                                 std::string("node7:0"),
                                 std::string("node7:65536"),
                                 std::string("node7:http"),
                                 std::string("fd00::7:50051"),
                                 std::string("10.0.0.256:1"),
                                 std::string("0.0.0.0:1"),
                                 std::string("[::]:1"),
                                 std::string("224.0.0.1:1"),
                                 std::string("a b:1"),
                                 std::string("-a:1"),
                                 std::string("a..b:1"),
                                 std::string("http://a:1"),
                                 std::string("_engram._tcp.a:1"),
                                 std::string("_engram"),
                                 std::string("_engram._tcp..org"),
                                 long_label + ":1",
                                 long_name + ":1"}) {
    const absl::Status status = ParseSeed(bad).status();
    EXPECT_EQ(DetailOf(status).field, "seeds") << bad;
    EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidArgument) << bad;
    EXPECT_NE(status.message().find("\"" + bad + "\" is no seed"), std::string::npos) << status;
  }
}

TEST(Seed, ThatIsAServiceWithAPortIsToldWhy) {
  EXPECT_NE(ParseSeed("_engram._tcp.a.org:1").status().message().find("in the records"),
            std::string::npos);
}

}  // namespace
}  // namespace engram::cluster
