#include "engram/server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/base/error.h"

namespace engram::server {
namespace {

using testing::HasSubstr;

std::string ErrorOf(std::string_view text) {
  NodeConfig config;
  return std::string(ApplyConfigText(text, "engram.toml", config).message());
}

TEST(Config, ReadsEveryKindOfKey) {
  NodeConfig config;
  ASSERT_TRUE(ApplyConfigText(R"(
node-id = "a"
data-dir = "/tmp/x"
listen = "127.0.0.1:7000"
seeds = ["127.0.0.1:7000", "127.0.0.1:7010"]
durability = "process"
workers = 5
deadline = "1500ms"
)",
                              "engram.toml", config)
                  .ok());
  EXPECT_EQ(config.node_id, NodeId("a"));
  EXPECT_EQ(config.seeds, (std::vector<std::string>{"127.0.0.1:7000", "127.0.0.1:7010"}));
  EXPECT_EQ(config.durability, memory::Durability::kProcess);
  EXPECT_EQ(config.workers, 5);
  EXPECT_EQ(config.deadline, std::chrono::milliseconds(1500));
  EXPECT_TRUE(FinishConfig(config).ok());
}

TEST(Config, AnUnknownKeyNamesTheNearestKnownOne) {
  EXPECT_EQ(ErrorOf("lisen = \"x:1\""),
            "engram.toml:1: unknown key 'lisen'; did you mean 'listen'?");
  EXPECT_EQ(ErrorOf("\nnode_id = \"x\""),
            "engram.toml:2: unknown key 'node_id'; did you mean 'node-id'?");
  EXPECT_THAT(ErrorOf("colour = 1"), HasSubstr("engram serve --help"));
}

TEST(Config, ABadValueNamesTheKeyAndTheRule) {
  EXPECT_THAT(ErrorOf("workers = 0"),
              HasSubstr("workers must be a whole number from 1 to 256, not '0'"));
  EXPECT_THAT(ErrorOf("writes-max = 0"),
              HasSubstr("writes-max must be a whole number from 1 to 10000, not '0'"));
  EXPECT_THAT(ErrorOf("queue-max = -1"),
              HasSubstr("queue-max must be a whole number from 0 to 100000, not '-1'"));
  EXPECT_THAT(ErrorOf("listen = \"nowhere\""), HasSubstr("listen must be host:port"));
  EXPECT_THAT(ErrorOf("deadline = \"soon\""), HasSubstr("deadline must be a time such as"));
  EXPECT_THAT(ErrorOf("deadline = \"inf\""), HasSubstr("at most 720h"));
  EXPECT_THAT(ErrorOf("durability = \"maybe\""),
              HasSubstr("durability must be one of fsync, process"));
  EXPECT_THAT(ErrorOf("seeds = \"127.0.0.1:1\""), HasSubstr("seeds must be a list of strings"));
  EXPECT_THAT(ErrorOf("node-id = [1]"), HasSubstr("node-id must be a string"));
  EXPECT_THAT(ErrorOf("hedged-reads = true"), HasSubstr("must be one of on, off, not 'true'"));
}

TEST(Config, ABrokenFileNamesItsLine) {
  EXPECT_THAT(ErrorOf("node-id = \"a\"\nlisten = "), HasSubstr("engram.toml:2:"));
}

TEST(Config, TheAdvertisedAddressMustBeDialable) {
  NodeConfig config;
  config.listen = "0.0.0.0:7000";
  EXPECT_EQ(CodeOf(FinishConfig(config)), ErrorCode::kInvalidEndpoint);
  config = {};
  config.listen = "0.0.0.0:7000";
  config.advertise = "10.0.0.1:7000";
  EXPECT_TRUE(FinishConfig(config).ok());
}

TEST(Config, GossipListensWhereRpcDoes) {
  NodeConfig config;
  config.listen = "0.0.0.0:7000";
  config.advertise = "10.0.0.1:7000";
  ASSERT_TRUE(FinishConfig(config).ok());
  EXPECT_EQ(config.gossip, "0.0.0.0:7946");
  EXPECT_EQ(config.gossip_advertise, "10.0.0.1:7946");
}

TEST(Config, GossipIsAdvertisedAtTheHostThatOthersDial) {
  NodeConfig config;
  config.listen = "0.0.0.0:7000";
  config.gossip = "0.0.0.0:7002";
  config.advertise = "10.0.0.1:7000";
  ASSERT_TRUE(FinishConfig(config).ok());
  EXPECT_EQ(config.gossip_advertise, "10.0.0.1:7002");
  config.gossip_advertise = "";
  config.advertise = "[fd00::1]:7000";
  ASSERT_TRUE(FinishConfig(config).ok());
  EXPECT_EQ(config.gossip_advertise, "[fd00::1]:7002");
  config.gossip_advertise = "0.0.0.0:7002";
  EXPECT_EQ(CodeOf(FinishConfig(config)), ErrorCode::kInvalidEndpoint);
  EXPECT_THAT(std::string(FinishConfig(config).message()), HasSubstr("gossip-advertise"));
}

TEST(Config, MembershipIsCheckedAsAWhole) {
  NodeConfig config;
  ASSERT_TRUE(ApplyConfigText("probe-period = \"200ms\"", "f", config).ok());
  EXPECT_THAT(std::string(FinishConfig(config).message()),
              HasSubstr("ack-timeout is not between zero and the probe period"));
  ASSERT_TRUE(ApplyConfigText("ack-timeout = \"100ms\"", "f", config).ok());
  EXPECT_TRUE(FinishConfig(config).ok());
  EXPECT_THAT(ErrorOf("gossip-fanout = 0"),
              HasSubstr("gossip-fanout must be a whole number from 1 to 16, not '0'"));
}

TEST(Config, TheLongestDelayIsNotLessThanTheFirst) {
  NodeConfig config;
  config.retry_delay = config.retry_delay_max + std::chrono::nanoseconds(1);
  EXPECT_THAT(std::string(FinishConfig(config).message()),
              HasSubstr("retry-delay-max must not be less than retry-delay"));
  config.retry_delay = config.retry_delay_max;
  EXPECT_TRUE(FinishConfig(config).ok());
}

TEST(Config, HttpIsAnAddressOfItsOwnOrOff) {
  NodeConfig config;
  EXPECT_EQ(config.http, "127.0.0.1:7432");
  ASSERT_TRUE(ApplyConfigText("http = \"0.0.0.0:80\"", "f", config).ok());
  EXPECT_TRUE(FinishConfig(config).ok());
  config.http = config.listen;
  EXPECT_THAT(std::string(FinishConfig(config).message()), HasSubstr("http and listen"));
  for (const char* off : {"http = \"off\"", "http = \"\""}) {
    ASSERT_TRUE(ApplyConfigText(off, "f", config).ok());
    EXPECT_FALSE(HasHttp(config));
  }
  EXPECT_THAT(ErrorOf("http = \"7432\""), HasSubstr("http must be host:port"));
}

TEST(Config, AnOffLimitIsWrittenZero) {
  NodeConfig config;
  ASSERT_TRUE(ApplyConfigText("connection-idle = \"5m\"\nconnection-age = 0", "f", config).ok());
  EXPECT_EQ(config.connection_idle, std::chrono::minutes(5));
  EXPECT_EQ(config.connection_age, Duration::max());
  EXPECT_THAT(ErrorOf("connection-idle = \"-1s\""), HasSubstr("or 0 for no limit, not '-1s'"));
  EXPECT_THAT(ErrorOf("deadline = 0"), HasSubstr("deadline must be a time such as"));
}

TEST(Config, NothingGivenForTlsIsWithoutEffect) {
  const auto finish_error = [](std::string_view text) {
    NodeConfig config;
    EXPECT_TRUE(ApplyConfigText(text, "f", config).ok());
    return std::string(FinishConfig(config).message());
  };
  EXPECT_THAT(finish_error("tls-cert = 'c'"), HasSubstr("must be given together"));
  EXPECT_THAT(finish_error("tls-key = 'c'"), HasSubstr("must be given together"));
  EXPECT_THAT(finish_error("tls-ca = 'c'"), HasSubstr("tls-ca needs tls-cert and tls-key"));
  EXPECT_THAT(finish_error("tls-client-ca = 'c'"), HasSubstr("tls-client-ca needs tls-cert"));
  EXPECT_THAT(finish_error("tls-name = 'c'"), HasSubstr("tls-name needs tls-cert"));
  EXPECT_THAT(ErrorOf("tls-cert = ''"), HasSubstr("tls-cert must not be empty"));
  EXPECT_EQ(finish_error("tls-cert = 'c'\ntls-key = 'k'\ntls-client-ca = 'c'"), "");
}

TEST(Config, EveryLoopMustHaveMemoryForAMessage) {
  NodeConfig config;
  config.loops = 16;
  config.message_memory = 63;
  EXPECT_THAT(std::string(FinishConfig(config).message()),
              HasSubstr("message-memory must be at least 64"));
  config.message_memory = 64;
  EXPECT_TRUE(FinishConfig(config).ok());
}

TEST(Config, AListOfFlagsReplacesTheFilesListAndNoOther) {
  NodeConfig config;
  ASSERT_TRUE(ApplyConfigText(R"(
seeds = ["127.0.0.1:7000", "127.0.0.1:7010"]
space-read-preferences = ["a=nearest"]
)",
                              "f", config)
                  .ok());
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.name != "space-read-preferences") continue;
    ASSERT_TRUE(ApplyConfigFlags(key, {"b=primary", "c=nearest"}, config).ok());
    EXPECT_EQ(key.show(config), "b=primary,c=nearest");
  }
  EXPECT_EQ(config.seeds.size(), 2u);
}

TEST(Config, AnAcknowledgementIsOneOfThree) {
  NodeConfig config;
  ASSERT_TRUE(ApplyConfigText(R"(
ack = "quorum"
space-ack = ["ledger=all", "notes=primary"]
)",
                              "f", config)
                  .ok());
  EXPECT_EQ(config.ack, routing::Ack::kQuorum);
  EXPECT_EQ(config.acks.at("ledger"), routing::Ack::kAll);
  for (const char* bad : {"ack = \"most\"", "space-ack = [\"ledger\"]",
                          "space-ack = [\"ledger=most\"]", "space-ack = [\"Ledger=all\"]"}) {
    EXPECT_FALSE(ApplyConfigText(bad, "f", config).ok()) << bad;
  }
}

TEST(Config, EveryDefaultIsAcceptedByItsOwnKey) {
  NodeConfig defaults;
  for (const ConfigKey& key : ConfigKeys()) {
    std::string shown = key.show(defaults);
    if (shown.empty()) continue;
    NodeConfig config;
    EXPECT_TRUE(key.set(config, shown).ok()) << key.name;
    EXPECT_EQ(key.show(config), shown) << key.name;
  }
}

}  // namespace
}  // namespace engram::server
