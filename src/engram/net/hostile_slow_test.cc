// Peers that take their time, or never take what they asked for: they hold little, not for ever,
// and nobody up.
#include <string>

#include "engram/net/testing/hostile_peer.h"

namespace engram::net {
namespace {

using testing::Eventually;
using testing::Frame;
using testing::HostilePeer;
using testing::Message;
using testing::Number;
using testing::RawPeer;
using testing::RequestHeaders;
using namespace std::chrono_literals;

TEST_F(HostilePeer, SlowPrefaceIsNotWaitedForForever) {
  ServerOptions options;
  options.preface_timeout = 30ms;
  Start(options);
  peer_->Send(testing::kPreface.substr(0, 10));
  EXPECT_TRUE(peer_->SeesEnd());
  EXPECT_EQ(Count(&Counters::connections_unfinished), 1u);
}

TEST_F(HostilePeer, ZeroWindowHoldsNoMoreThanItsAnswers) {
  Start();
  peer_->Send(testing::kPreface);
  // INITIAL_WINDOW_SIZE = 0.
  peer_->Send(Frame{testing::kSettings, 0, 0, std::string("\0\x04\0\0\0\0", 6)});
  constexpr int64_t kCalls = 50;
  const std::string message = Message(std::string(1000, 'x'));
  for (uint32_t stream = 1; stream < 2 * kCalls; stream += 2) {
    peer_->Send(RequestHeaders(stream, testing::kUnary));
    peer_->Send(Frame{testing::kData, testing::kEndStream, stream, message});
  }
  const int64_t answers = kCalls * static_cast<int64_t>(message.size());
  ASSERT_TRUE(Eventually([&] { return BytesHeld() >= answers; }));
  ExpectOthersServed();
  EXPECT_EQ(BytesHeld(), answers);
  peer_.reset();
  EXPECT_TRUE(Eventually([&] { return BytesHeld() == 0; }));
}

TEST_F(HostilePeer, PrefaceByteByByteIsTaken) {
  Start();
  const std::string begin = std::string(testing::kPreface) +
                            Encode(Frame{testing::kSettings, 0, 0, ""}) +
                            Encode(RequestHeaders(1, testing::kUnary)) +
                            Encode(Frame{testing::kData, testing::kEndStream, 1, Message("x")});
  for (const char c : begin) peer_->Send(std::string(1, c));
  EXPECT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
}

TEST_F(HostilePeer, NothingAtAllIsNotWaitedForForever) {
  ServerOptions options;
  options.preface_timeout = 30ms;
  Start(options);
  EXPECT_TRUE(peer_->SeesEnd());
  EXPECT_EQ(Count(&Counters::connections_unfinished), 1u);
}

// The window lets no byte of the answers out; the deadline ends them all the same.
TEST_F(HostilePeer, AnswersThatAreNotTakenEndAtTheDeadline) {
  ServerOptions options;
  options.unary_limit = 100ms;
  Start(options);
  peer_->Send(testing::kPreface);
  peer_->Send(testing::Setting(testing::kInitialWindowSize, 0));
  constexpr uint32_t kCalls = 20;
  for (uint32_t stream = 1; stream < 2 * kCalls; stream += 2) {
    peer_->Send(RequestHeaders(stream, testing::kUnary));
    peer_->Send(
        Frame{testing::kData, testing::kEndStream, stream, Message(std::string(10'000, 'x'))});
  }
  for (uint32_t i = 0; i < kCalls; ++i) {
    ASSERT_TRUE(peer_->ReceiveType(testing::kRstStream).has_value());
  }
}

// A handler that streams is told to wait, and what it has sent is bounded.
TEST_F(HostilePeer, StreamThatIsNotReadHoldsItsBoundAndNoMore) {
  ServerOptions options;
  options.stream_queue_bytes_max = 10'000;
  Start(options);
  peer_->Send(testing::kPreface);
  peer_->Send(testing::Setting(testing::kInitialWindowSize, 0));
  // Only a client that has acknowledged them has the server's windows.
  ASSERT_TRUE(peer_->ReceiveType(testing::kSettings).has_value());
  peer_->Send(testing::SettingsAck());
  peer_->Send(RequestHeaders(1, testing::kBidi));
  const std::string message = Message(std::string(1000, 'x'));
  for (int i = 0; i < 500; ++i) peer_->Send(Frame{testing::kData, 0, 1, message});
  // Echoed messages fill the queue; those after it stay unread, and unacknowledged.
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::messages_received) >= 501; }));
  EXPECT_LE(Count(&Counters::messages_sent), 2u);
  for (const uint32_t stream : {0u, 1u}) {
    peer_->Send(Frame{testing::kWindowUpdate, 0, stream, Number(500'000)});
  }
  size_t echoed = 0;
  while (echoed < 400 * message.size()) {
    const auto data = peer_->ReceiveType(testing::kData);
    ASSERT_TRUE(data.has_value());
    echoed += data->payload.size();
  }
}

TEST_F(HostilePeer, WindowOpenedByteByByteIsServedByteByByte) {
  Start();
  peer_->Send(testing::kPreface);
  peer_->Send(testing::Setting(testing::kInitialWindowSize, 0));
  peer_->Send(RequestHeaders(1, testing::kUnary));
  const std::string message = Message(std::string(200, 'x'));
  peer_->Send(Frame{testing::kData, testing::kEndStream, 1, message});
  ASSERT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
  std::string answer;
  for (size_t i = 0; i < message.size(); ++i) {
    peer_->Send(Frame{testing::kWindowUpdate, 0, 1, Number(1)});
    const auto data = peer_->ReceiveType(testing::kData);
    ASSERT_TRUE(data.has_value());
    answer += data->payload;
  }
  EXPECT_EQ(answer, message);
  EXPECT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
}

class PeerThatNeverReads : public HostilePeer {
 protected:
  // False: the server has stopped reading. It was free to go on while it served others.
  bool SendAll(std::string_view bytes) {
    while (!bytes.empty()) {
      const size_t sent = peer_->SendSome(bytes);
      bytes.remove_prefix(sent);
      if (sent == 0 && HasStopped()) return false;
    }
    return true;
  }

 private:
  bool HasStopped() {
    constexpr uint64_t kOthers = 10;
    const uint64_t begun_before = Count(&Counters::calls_begun);
    for (uint64_t i = 0; i < kOthers; ++i) ExpectOthersServed();
    return Count(&Counters::calls_begun) - begun_before == kOthers && !peer_->Writable();
  }
};

// The server stops reading too, so that what it holds does not grow with what is sent.
TEST_F(PeerThatNeverReads, IsNotReadFromEither) {
  Start();
  peer_->Send(testing::kPreface);
  peer_->Send(testing::Setting(testing::kInitialWindowSize, 0x7fffffff));
  peer_->Send(Frame{testing::kWindowUpdate, 0, 0, Number(0x7fff0000 - 65535)});
  const std::string body = Message(std::string(16'000, 'x'));
  constexpr uint32_t kCalls = 10'000;
  uint32_t taken = 0;
  for (; taken < kCalls; ++taken) {
    const uint32_t stream = 2 * taken + 1;
    if (!SendAll(Encode(RequestHeaders(stream, testing::kUnary)) +
                 Encode(Frame{testing::kData, testing::kEndStream, stream, body}))) {
      break;
    }
  }
  EXPECT_LT(taken, kCalls);
  constexpr int64_t kBytesHeldMax = 2 << 20;
  EXPECT_LT(BytesHeld(), kBytesHeldMax);
}

TEST_F(HostilePeer, BodiesThatNeverEnd) {
  Start();
  peer_->Begin();
  const std::string beginning = Message(std::string(4 << 20, 'x')).substr(0, 1000);
  for (uint32_t stream = 1; stream < 2 * 500; stream += 2) {
    peer_->Send(RequestHeaders(stream, testing::kUnary));
    peer_->Send(Frame{testing::kData, 0, stream, beginning});
  }
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::message_bytes_received) >= 497'000; }));
  ExpectOthersServed();
  // 2 GiB are announced.
  EXPECT_LE(BytesHeld(), 500'000);
  ExpectLittleMemory();
  peer_.reset();
  EXPECT_TRUE(Eventually([&] { return BytesHeld() == 0; }));
}

}  // namespace
}  // namespace engram::net
