// The bounds of a server that are not about one call: connections, bytes in all, time.
#include "engram/base/error.h"
#include "engram/net/address_counts.h"
#include "engram/net/testing/fixture.h"
#include "engram/net/testing/raw_peer.h"

namespace engram::net {
namespace {

using testing::Eventually;
using testing::Frame;
using testing::RawPeer;
using testing::RequestHeaders;
using testing::RunOn;
using namespace std::chrono_literals;

class BoundsTest : public testing::NetTest {
 protected:
  // A message of `announced` bytes of which only the first `sent` come.
  static Frame Announce(uint32_t stream, uint32_t announced, size_t sent) {
    std::string prefix(5, '\0');
    for (int i = 0; i < 4; ++i) prefix[4 - i] = static_cast<char>(announced >> (8 * i));
    return {testing::kData, 0, stream, prefix + std::string(sent, 'x')};
  }
  int64_t BytesHeld() { return loop().counters().bytes_held.value(); }
  // The calls of others go on.
  void ExpectServed() {
    const CallResult result = Call(testing::kUnary, "x");
    EXPECT_EQ(result.message, "x") << std::string(result.status.message());
  }
};

TEST_F(BoundsTest, OneAddressCannotTakeAllConnections) {
  ServerOptions options;
  options.connections_per_address_max = 3;
  StartServer(options);
  std::vector<RawPeer> peers;
  for (int i = 0; i < 3; ++i) peers.emplace_back(server_->port()).Begin();
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::connections_accepted) == 3; }));
  RawPeer fourth(server_->port());
  EXPECT_TRUE(fourth.SeesEnd());
  EXPECT_EQ(Count(&Counters::connections_refused), 1u);
  peers.pop_back();
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 1; }));
  ExpectServed();
}

TEST(AddressCounts, CountHostsAndNotTheirAddresses) {
  const auto counted = [](const char* text) {
    return internal::CountedAddress(boost::asio::ip::make_address(text));
  };
  EXPECT_EQ(counted("10.0.0.1"), counted("::ffff:10.0.0.1"));
  EXPECT_NE(counted("10.0.0.1"), counted("10.0.0.2"));
  EXPECT_EQ(counted("fd00:1:2:3::1"), counted("fd00:1:2:3:ffff::2"));
  EXPECT_NE(counted("fd00:1:2:3::1"), counted("fd00:1:2:4::1"));
}

TEST_F(BoundsTest, BytesOfAllCallsTogetherAreBounded) {
  ServerOptions options;
  options.bytes_held_max = 50'000;
  StartServer(options);
  RawPeer peer(server_->port());
  peer.Begin();
  for (uint32_t stream = 1; stream <= 9; stream += 2) {
    peer.Send(RequestHeaders(stream, testing::kUnary));
    peer.Send(Announce(stream, 16'000, 15'000));
  }
  // The fourth and the fifth are refused; what was received of them is free again.
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::messages_over_budget) == 2; }));
  EXPECT_LE(BytesHeld(), 50'000);
  const auto refused = peer.ReceiveType(testing::kHeaders);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->stream, 7u);
  ExpectServed();
  peer.Send(Frame{testing::kRstStream, 0, 1, std::string("\0\0\0\x08", 4)});
  peer.Send(RequestHeaders(11, testing::kUnary));
  peer.Send(Announce(11, 16'000, 15'000));
  EXPECT_TRUE(Eventually([&] { return BytesHeld() >= 45'000; }));
  EXPECT_EQ(Count(&Counters::messages_over_budget), 2u);
}

// Otherwise a peer that announces much and sends nothing would use up everybody's share.
TEST_F(BoundsTest, WhatIsOnlyAnnouncedIsNotHeld) {
  ServerOptions options;
  options.bytes_held_max = 100'000;
  StartServer(options);
  RawPeer peer(server_->port());
  peer.Begin();
  for (uint32_t stream = 1; stream < 2 * 100; stream += 2) {
    peer.Send(RequestHeaders(stream, testing::kUnary));
    peer.Send(Announce(stream, 4u << 20, 10));
  }
  ASSERT_TRUE(Eventually([&] { return BytesHeld() == 100 * 10; }));
  ExpectServed();
  EXPECT_EQ(Count(&Counters::messages_over_budget), 0u);
}

// A peer that takes no answers fills its own share, and shuts nobody else out.
TEST_F(BoundsTest, OneConnectionCannotHoldEverything) {
  constexpr size_t kAnswer = 1u << 20;
  ServerOptions options;
  options.bytes_held_max = 64 * kAnswer;
  StartServer(options, [](Server& server) {
    server.AddUnary("/test/Large", [](ServerCall call, const std::string&) {
      call.Reply(std::string(kAnswer, 'x'));
    });
  });
  RawPeer peer(server_->port());
  peer.Send(testing::kPreface);
  peer.Send(Frame{testing::kSettings, 0, 0, std::string("\0\x04\0\0\0\0", 6)});  // no window
  for (uint32_t stream = 1; stream < 2 * 100; stream += 2) {
    peer.Send(RequestHeaders(stream, "/test/Large"));
    peer.Send(Frame{testing::kData, testing::kEndStream, stream, std::string(5, '\0')});
  }
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::messages_over_budget) > 80; }));
  EXPECT_LE(BytesHeld(), static_cast<int64_t>(18 * kAnswer));
  ExpectServed();
}

TEST_F(BoundsTest, NothingIsHeldWhenCallsHaveEnded) {
  StartServer();
  for (int i = 0; i < 20; ++i) Call(testing::kUnary, std::string(100'000, 'x'));
  Call(testing::kUnary, "x", With("fail", "now"));
  Begin(testing::kUnary, std::string(100'000, 'x'), With("hang", "1"));
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::calls_begun) == 22; }));
  RunOn(loop(), [&] { channel_.reset(); });
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 1; }));
  EXPECT_EQ(BytesHeld(), 0);
}

TEST_F(BoundsTest, UnusedConnectionIsToldToGo) {
  ServerOptions options;
  options.first_request_timeout = 20ms;
  StartServer(options);
  RawPeer peer(server_->port());
  peer.Begin();
  EXPECT_TRUE(peer.ReceiveType(testing::kGoaway).has_value());
  EXPECT_EQ(Count(&Counters::connections_unused), 1u);
}

TEST_F(BoundsTest, IdleConnectionGoesAndTheChannelOpensAnother) {
  ServerOptions options;
  options.connection_idle_max = 20ms;
  StartServer(options);
  ExpectServed();
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 1; }));
  EXPECT_EQ(Count(&Counters::connections_idle), 1u);
  ExpectServed();
}

TEST_F(BoundsTest, OldConnectionFinishesItsCallAndNewOnesGoElsewhere) {
  ServerOptions options;
  options.connection_age_max = 20ms;
  StartServer(options);
  testing::PendingCall hanging = Begin(testing::kUnary, "x", [] {
    CallOptions o = With("hang", "1");
    o.deadline = testing::In(2s);
    return o;
  }());
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::connections_old) >= 1; }));
  // The others grow old as quickly: a call that meets such an end is served or was never sent.
  EXPECT_TRUE(Eventually([&] {
    const CallResult result = Call(testing::kUnary, "x");
    EXPECT_NE(result.delivery, Delivery::kUndetermined);
    return result.status.ok() && Count(&Counters::connections_accepted) >= 2;
  }));
  EXPECT_EQ(hanging.Wait().status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BoundsTest, OldConnectionIsClosedAfterItsGrace) {
  ServerOptions options;
  options.connection_age_max = 10ms;
  options.connection_age_grace = 20ms;
  StartServer(options);
  // A call may come too late for its connection and is then not sent: the next has another.
  EXPECT_TRUE(Eventually([&] {
    return Call(testing::kUnary, "x", With("hang", "1")).delivery == Delivery::kUndetermined;
  }));
}

TEST_F(BoundsTest, HalfOpenConnectionIsFoundByPing) {
  ServerOptions options;
  options.keepalive_interval = 20ms;
  options.keepalive_timeout = 20ms;
  StartServer(options);
  RawPeer peer(server_->port());  // answers nothing, as a host that has vanished
  peer.Begin();
  EXPECT_TRUE(peer.ReceiveType(testing::kPing).has_value());
  EXPECT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 1; }));
  EXPECT_EQ(Count(&Counters::keepalives_missed), 1u);
}

}  // namespace
}  // namespace engram::net
