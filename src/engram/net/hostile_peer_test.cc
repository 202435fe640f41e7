// Peers that break the rules hurt nobody but themselves: after each, another client is served on
// another connection.
#include <netinet/in.h>

#include "engram/base/error.h"
#include "engram/net/testing/fixture.h"
#include "engram/net/testing/raw_peer.h"

namespace engram::net {
namespace {

using testing::Eventually;
using testing::Frame;
using testing::RawPeer;
using testing::RequestHeaders;
using namespace std::chrono_literals;

constexpr uint32_t kEnhanceYourCalm = 11;

std::string Message(std::string_view body, uint8_t compressed = 0) {
  std::string out(1, static_cast<char>(compressed));
  for (int shift : {24, 16, 8, 0}) out += static_cast<char>(body.size() >> shift);
  return out.append(body);
}

class HostilePeer : public testing::NetTest {
 protected:
  ~HostilePeer() override {
    EXPECT_EQ(Call(testing::kUnary, "another client").message, "another client");
  }

  void Start(const ServerOptions& options = {}) {
    StartServer(options);
    EXPECT_TRUE(Call(testing::kUnary, "x").status.ok());
    peer_.emplace(server_->port());
  }
  // Sends one call and returns the header block it is answered with, undecoded.
  std::string AnswerTo(std::string_view method, std::string_view body,
                       std::string_view content_type) {
    peer_->Begin();
    peer_->Send(RequestHeaders(1, method, content_type));
    peer_->Send(Frame{testing::kData, testing::kEndStream, 1, std::string(body)});
    const std::optional<Frame> headers = peer_->ReceiveType(testing::kHeaders);
    return headers.has_value() ? headers->payload : "";
  }
  uint32_t GoawayCode() {
    const std::optional<Frame> frame = peer_->ReceiveType(testing::kGoaway);
    if (!frame.has_value()) return 0;
    uint32_t code = 0;
    for (size_t i = 4; i < 8; ++i) code = code << 8 | static_cast<uint8_t>(frame->payload[i]);
    return code;
  }

  std::optional<RawPeer> peer_;
};

TEST_F(HostilePeer, GarbageInsteadOfThePreface) {
  Start();
  peer_->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, SlowPrefaceIsNotWaitedForForever) {
  ServerOptions options;
  options.preface_timeout = 30ms;
  Start(options);
  peer_->Send(testing::kPreface.substr(0, 10));
  EXPECT_TRUE(peer_->SeesEnd());
  EXPECT_EQ(Count(&Counters::connections_unfinished), 1u);
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

TEST_F(HostilePeer, HeaderFloodIsRefused) {
  Start();
  peer_->Begin();
  Frame headers = RequestHeaders(1, testing::kUnary);
  for (int i = 0; i < 20; ++i) headers.payload += testing::EncodeHeader("x", std::string(500, 'x'));
  // The rest in CONTINUATIONs, to beyond what a header list may have.
  headers.flags = testing::kEndStream;
  peer_->Send(headers);
  std::string more;
  for (int i = 0; i < 20; ++i) more += testing::EncodeHeader("y", std::string(500, 'y'));
  peer_->Send(Frame{testing::kContinuation, testing::kEndHeaders, 1, more});
  EXPECT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
  EXPECT_EQ(Count(&Counters::header_lists_refused), 1u);
}

TEST_F(HostilePeer, ContinuationFloodIsCutOff) {
  Start();
  peer_->Begin();
  Frame headers = RequestHeaders(1, testing::kUnary);
  headers.flags = 0;
  peer_->Send(headers);
  const Frame more{testing::kContinuation, 0, 1, testing::EncodeHeader("x", "y")};
  for (int i = 0; i < 1000; ++i) {
    if (!peer_->Send(more)) break;
  }
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, RapidResetIsCutOff) {
  Start();
  peer_->Begin();
  std::string flood;
  for (uint32_t stream = 1; stream < 2 * 3000; stream += 2) {
    flood += Encode(RequestHeaders(stream, testing::kUnary));
    flood += Encode(Frame{testing::kRstStream, 0, stream, std::string("\0\0\0\x08", 4)});
  }
  peer_->Send(flood);
  EXPECT_EQ(GoawayCode(), kEnhanceYourCalm);
  EXPECT_EQ(Count(&Counters::connections_flooding), 1u);
}

TEST_F(HostilePeer, PingFloodIsCutOff) {
  ServerOptions options;
  options.control_frames_max = 500;
  Start(options);
  peer_->Begin();
  for (int i = 0; i < 600; ++i) peer_->Send(Frame{testing::kPing, 0, 0, std::string(8, 'p')});
  EXPECT_EQ(GoawayCode(), kEnhanceYourCalm);
}

TEST_F(HostilePeer, SettingsFloodWithoutReadingIsCutOff) {
  Start();
  peer_->Begin();
  std::string flood;
  for (int i = 0; i < 20'000; ++i) flood += Encode(Frame{testing::kSettings, 0, 0, ""});
  peer_->Send(flood);
  EXPECT_TRUE(peer_->SeesEnd());
}

TEST_F(HostilePeer, ZeroWindowHoldsNoMoreThanItsAnswers) {
  Start();
  peer_->Send(testing::kPreface);
  // INITIAL_WINDOW_SIZE = 0.
  peer_->Send(Frame{testing::kSettings, 0, 0, std::string("\0\x04\0\0\0\0", 6)});
  for (uint32_t stream = 1; stream < 100; stream += 2) {
    peer_->Send(RequestHeaders(stream, testing::kUnary));
    peer_->Send(Frame{testing::kData, testing::kEndStream, stream, Message("x")});
  }
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::calls_begun) >= 51; }));
  peer_.reset();
  EXPECT_TRUE(Eventually([&] { return Count(&Counters::connections_closed) == 1; }));
}

TEST_F(HostilePeer, MoreStreamsThanAllowedAreRefused) {
  ServerOptions options;
  options.concurrent_streams_max = 10;
  Start(options);
  peer_->Begin();
  for (uint32_t stream = 1; stream < 100; stream += 2)
    peer_->Send(RequestHeaders(stream, testing::kUnary));
  EXPECT_TRUE(peer_->ReceiveType(testing::kRstStream).has_value());
  EXPECT_GT(Count(&Counters::streams_refused), 0u);
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
