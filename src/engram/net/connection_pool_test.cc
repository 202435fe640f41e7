// Which connections a pool opens and keeps: counted at the server, as sockets.
#include "engram/net/connection_pool.h"

#include "engram/net/testing/fixture.h"

namespace engram::net {
namespace {

using testing::Eventually;
using testing::PendingCall;
using testing::RunOn;

class ConnectionPoolTest : public testing::NetTest {
 protected:
  static constexpr int kLoops = 3;

  ConnectionPoolTest() : NetTest(kLoops) { StartServer(); }
  ~ConnectionPoolTest() override { pool_.Close(); }

  PendingCall BeginOn(size_t loop_index, const std::string& address, CallOptions options = {}) {
    PendingCall call;
    RunOn(loops_.at(loop_index), [&] {
      pool_.Get(loop_index, node_, address)
          ->Unary(testing::kUnary, std::move(options), "x", call.Done());
    });
    return call;
  }
  void CallOnEveryLoop() {
    for (size_t i = 0; i < kLoops; ++i) EXPECT_EQ(BeginOn(i, address()).Wait().message, "x");
  }
  std::vector<NodeConnections> Health() {
    std::promise<std::vector<NodeConnections>> promise;
    pool_.Health([&](std::vector<NodeConnections> nodes) { promise.set_value(std::move(nodes)); });
    return promise.get_future().get();
  }

  const NodeId node_{"node-7"};
  ConnectionPool pool_{loops_, {}, 4};
};

TEST_F(ConnectionPoolTest, KeepsToTheLoopAndTheNumber) {
  for (int round = 0; round < 5; ++round) CallOnEveryLoop();
  EXPECT_EQ(loops_.at(0).counters().connects.value(), 2u);
  EXPECT_EQ(loops_.at(1).counters().connects.value(), 1u);
  EXPECT_EQ(loops_.at(2).counters().connects.value(), 1u);
}

TEST_F(ConnectionPoolTest, RepeatedRequestsOpenNoSockets) {
  for (int round = 0; round < 1000; ++round) CallOnEveryLoop();
  EXPECT_EQ(Count(&Counters::connections_accepted), 4u);
  EXPECT_EQ(Count(&Counters::channels_opened), 4u);
  EXPECT_EQ(Count(&Counters::channels_acquired), 3000u);  // a hit rate of 99.87 %
}

TEST_F(ConnectionPoolTest, CallsOfOneWakeUpShareAChannelAndWakeUpsTakeTurns) {
  const auto begin_eight_at_once = [&] {
    std::vector<PendingCall> calls(8);
    RunOn(loops_.at(0), [&] {
      for (PendingCall& call : calls)
        pool_.Get(0, node_, address())->Unary(testing::kUnary, {}, "x", call.Done());
    });
    for (PendingCall& call : calls) EXPECT_EQ(call.Wait().message, "x");
  };
  begin_eight_at_once();
  EXPECT_EQ(loops_.at(0).counters().connects.value(), 1u);
  begin_eight_at_once();
  EXPECT_EQ(loops_.at(0).counters().connects.value(), 2u);
}

TEST_F(ConnectionPoolTest, RemovedNodeLosesItsChannels) {
  PendingCall call = BeginOn(0, address(), With("hang", "1"));
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::calls_begun) == 1; }));
  pool_.Remove(node_);
  EXPECT_EQ(call.Wait().status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 1; }));
  EXPECT_TRUE(Health().empty());
}

TEST_F(ConnectionPoolTest, ChangedAddressIsFollowedAndCallsInFlightEndAtTheOldOne) {
  std::optional<ServerCall> held;
  Server old_home(loops_, {});
  old_home.AddUnary(testing::kUnary,
                    [&](ServerCall call, const std::string&) { held = std::move(call); });
  ASSERT_TRUE(old_home.Start().ok());
  const std::string old_address = "127.0.0.1:" + std::to_string(old_home.port());

  PendingCall before = BeginOn(0, old_address);
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::calls_begun) == 1; }));
  EXPECT_EQ(BeginOn(0, address()).Wait().message, "x");
  EXPECT_FALSE(before.ended());
  held->Reply("from the old home");
  EXPECT_EQ(before.Wait().message, "from the old home");
  EXPECT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 1; }));
  EXPECT_EQ(Health().at(0).address, address());
}

TEST_F(ConnectionPoolTest, HealthCountsWhatIsReadyAndWhatCouldNotConnect) {
  CallOnEveryLoop();
  NodeConnections node = Health().at(0);
  EXPECT_EQ(node.node, node_);
  EXPECT_EQ(node.channels, 4u);
  EXPECT_EQ(node.ready, 3u);  // loop 0 has two and has called once
  EXPECT_TRUE(node.healthy());

  const uint16_t port = server_->port();
  server_.reset();
  const std::string gone = "127.0.0.1:" + std::to_string(port);
  EXPECT_TRUE(Eventually([&] {
    for (size_t i = 0; i < kLoops; ++i) BeginOn(i, gone).Wait();
    node = Health().at(0);
    return node.ready == 0 && node.backing_off > 0;
  }));
  EXPECT_FALSE(node.healthy());
}

}  // namespace
}  // namespace engram::net
