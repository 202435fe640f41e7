// Peers that break the rules hurt nobody but themselves: after each, another client is served on
// another connection.
#include "engram/net/testing/hostile_peer.h"

#include <random>

namespace engram::net {
namespace {

using testing::Eventually;
using testing::Frame;
using testing::HostilePeer;
using testing::Message;
using testing::RawPeer;
using testing::RequestHeaders;
using namespace std::chrono_literals;

TEST_F(HostilePeer, GarbageInsteadOfThePreface) {
  Start();
  peer_->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, TlsHelloOnAPlainPort) {
  Start();
  peer_->Send(std::string_view("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 11));
  peer_->Send(std::string(0xa5, 'r'));
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, RandomBytesInsteadOfThePreface) {
  Start();
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    RawPeer peer(server_->port());
    std::string noise(1 + random() % 200, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    peer.Send(noise);
    EXPECT_TRUE(peer.SeesEnd());
  }
}

TEST_F(HostilePeer, RequestsInsteadOfSettings) {
  Start();
  peer_->Send(testing::kPreface);
  peer_->Send(RequestHeaders(1, testing::kUnary));
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, FrameLargerThanAllowed) {
  Start();
  peer_->Begin();
  peer_->Send(Frame{testing::kData, 0, 1, std::string(20'000, 'x')});
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, BadHeaderCompression) {
  Start();
  peer_->Begin();
  peer_->Send(Frame{testing::kHeaders, testing::kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff\xff"});
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, TableSizeBeyondTheSettings) {
  Start();
  peer_->Begin();
  Frame headers = RequestHeaders(1, testing::kUnary);
  headers.payload.insert(0, "\x3f\xe1\xff\xff\x07");  // a dynamic table of 16 MiB
  peer_->Send(headers);
  EXPECT_TRUE(peer_->SeesEnd());
}

// What we keep of our own headers does not grow with what the peer says it can hold.
TEST_F(HostilePeer, HugeTableIsAnsweredAndNotUsed) {
  Start();
  peer_->Send(testing::kPreface);
  peer_->Send(testing::Setting(testing::kHeaderTableSize, 0xffffffff));
  peer_->Send(RequestHeaders(1, testing::kUnary));
  peer_->Send(Frame{testing::kData, testing::kEndStream, 1, Message("x")});
  EXPECT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
}

TEST_F(HostilePeer, DataOnAStreamThatWasNeverOpened) {
  Start();
  peer_->Begin();
  peer_->Send(Frame{testing::kData, 0, 7, Message("x")});
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, StreamsThatTheServerShouldHaveOpened) {
  Start();
  peer_->Begin();
  peer_->Send(RequestHeaders(2, testing::kUnary));
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, FramesShorterThanTheirFields) {
  Start();
  for (const uint8_t type : {testing::kPriority, testing::kRstStream, testing::kPing,
                             testing::kGoaway, testing::kWindowUpdate}) {
    RawPeer peer(server_->port());
    peer.Begin();
    peer.Send(Frame{type, 0, type == testing::kPriority ? 1u : 0u, "xx"});
    EXPECT_TRUE(peer.SeesEnd()) << "type " << int{type};
  }
}

TEST_F(HostilePeer, ConnectionLostWithinAFrame) {
  Start();
  peer_->Begin();
  peer_->Send(Encode(RequestHeaders(1, testing::kUnary)).substr(0, 30));
  peer_.reset();
  EXPECT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 1; }));
}

TEST_F(HostilePeer, TruncatedMessage) {
  Start();
  AnswerTo(testing::kUnary, Message("whole").substr(0, 7), "application/grpc");
  EXPECT_EQ(Count(&Counters::messages_refused), 1u);
}

TEST_F(HostilePeer, NoMessageAtAll) {
  Start();
  EXPECT_NE(AnswerTo(testing::kUnary, "", "application/grpc"), "");
}

TEST_F(HostilePeer, TwoMessagesInAUnaryCall) {
  Start();
  AnswerTo(testing::kUnary, Message("one") + Message("two"), "application/grpc");
  EXPECT_EQ(Count(&Counters::messages_refused), 1u);
}

TEST_F(HostilePeer, CompressedMessageWithoutAnEncoding) {
  Start();
  const std::string answer = AnswerTo(testing::kUnary, Message("zip", 1), "application/grpc");
  EXPECT_EQ(Count(&Counters::messages_refused), 1u);
  EXPECT_NE(answer, "");
}

TEST_F(HostilePeer, AnnouncedButNeverSentMessageCostsNothing) {
  Start();
  AnswerTo(testing::kUnary, std::string_view("\0\xff\xff\xff\xff", 5), "application/grpc");
  EXPECT_EQ(Count(&Counters::messages_refused), 1u);
}

TEST_F(HostilePeer, ForeignContentTypeIsHttp415) {
  Start();
  const std::string answer = AnswerTo(testing::kUnary, "<html>", "text/html");
  EXPECT_EQ(Count(&Counters::requests_refused), 1u);
  EXPECT_NE(answer, "");
}

TEST_F(HostilePeer, ConnectionLostWithinAMessage) {
  Start();
  peer_->Begin();
  peer_->Send(RequestHeaders(1, testing::kUnary));
  peer_->Send(Frame{testing::kData, 0, 1, Message(std::string(100, 'x')).substr(0, 50)});
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::message_bytes_received) >= 50; }));
  peer_.reset();
  EXPECT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 1; }));
}

TEST_F(HostilePeer, RandomBytesAfterThePreface) {
  Start();
  uint32_t seed = 1;
  for (int round = 0; round < 200; ++round) {
    RawPeer peer(server_->port());
    peer.Begin();
    peer.Send(RequestHeaders(1, testing::kUnary));
    std::string noise;
    for (int i = 0; i < 300; ++i)
      noise += static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
    noise[0] = noise[1] = 0;  // a frame short enough to be taken
    peer.Send(noise);
  }
  EXPECT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 200; }));
}

}  // namespace
}  // namespace engram::net
