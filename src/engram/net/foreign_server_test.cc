// What a channel makes of servers that refuse, go away or are no gRPC servers at all.
#include "engram/base/error.h"
#include "engram/net/testing/fixture.h"
#include "engram/net/testing/raw_peer.h"

namespace engram::net {
namespace {

using testing::Frame;
using testing::PendingCall;
using testing::RawPeer;

class ForeignServer : public testing::NetTest {
 protected:
  ForeignServer() { UseChannel("127.0.0.1:" + std::to_string(listener_.port())); }

  // Begins a call and waits until the server has it.
  PendingCall BeginCall() {
    PendingCall call = Begin("/s/M", "request");
    if (!peer_.has_value()) peer_.emplace(listener_.Accept());
    EXPECT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
    EXPECT_TRUE(peer_->ReceiveType(testing::kData).has_value());
    return call;
  }
  CallResult AfterReset(char code) {
    PendingCall call = BeginCall();
    peer_->Send(Frame{testing::kRstStream, 0, next_stream_, std::string("\0\0\0", 3) + code});
    next_stream_ += 2;
    return call.Wait();
  }
  CallResult AfterHeaders(const std::string& headers) {
    PendingCall call = BeginCall();
    peer_->Send(Frame{testing::kHeaders, testing::kEndHeaders | testing::kEndStream, next_stream_,
                      headers});
    next_stream_ += 2;
    return call.Wait();
  }

  testing::RawListener listener_;
  std::optional<RawPeer> peer_;
  uint32_t next_stream_ = 1;
};

TEST_F(ForeignServer, RefusedStreamIsNotSent) {
  const CallResult result = AfterReset(7);
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(result.request, "request");
}

TEST_F(ForeignServer, OtherResetsAreUndetermined) {
  const CallResult internal = AfterReset(2);
  EXPECT_EQ(internal.delivery, Delivery::kUndetermined);
  EXPECT_EQ(internal.status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(AfterReset(8).status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(AfterReset(11).status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ForeignServer, CancelledByTheServerAfterTheDeadlineIsTheDeadlines) {
  const PendingCall first = BeginCall();  // so that there is a connection
  const CallOptions options = Within(std::chrono::milliseconds(50));
  PendingCall call = Begin("/s/M", "late", options);
  ASSERT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
  // The loop finds both in one wake-up, the server's word first.
  std::promise<void> release;
  loop().Post([&] { release.get_future().wait(); });
  peer_->Send(Frame{testing::kRstStream, 0, 3, std::string("\0\0\0\x08", 4)});
  const TimePoint later = options.deadline + std::chrono::milliseconds(5);
  EXPECT_TRUE(testing::Eventually([&] { return EventLoop::Now() > later; }));
  release.set_value();
  const CallResult result = call.Wait();
  EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(result.delivery, Delivery::kUndetermined);
}

TEST_F(ForeignServer, GoawayBelowTheStreamIsNotSentAndAnotherConnectionFollows) {
  PendingCall begun = BeginCall();
  PendingCall not_begun = Begin("/s/M", "second");
  ASSERT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
  // Last stream 1, NO_ERROR: the first call goes on.
  peer_->Send(Frame{testing::kGoaway, 0, 0, std::string("\0\0\0\1\0\0\0\0", 8)});
  const CallResult refused = not_begun.Wait();
  EXPECT_EQ(refused.delivery, Delivery::kNotSent);
  EXPECT_EQ(CodeOf(refused.status), ErrorCode::kShuttingDown);
  EXPECT_FALSE(begun.ended());

  PendingCall third = Begin("/s/M", "third");
  RawPeer other = listener_.Accept();
  EXPECT_TRUE(other.ReceiveType(testing::kHeaders).has_value());
  EXPECT_FALSE(begun.ended());
  peer_.reset();
  EXPECT_EQ(begun.Wait().delivery, Delivery::kUndetermined);
}

TEST_F(ForeignServer, AnswerWithoutGrpcStatusIsMappedFromHttp) {
  const CallResult result = AfterHeaders(testing::EncodeHeader(":status", "503"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(result.delivery, Delivery::kUndetermined);
}

TEST_F(ForeignServer, PageOfAProxyIsNoMessage) {
  PendingCall call = BeginCall();
  peer_->Send(Frame{testing::kHeaders, testing::kEndHeaders, 1,
                    testing::EncodeHeader(":status", "403") +
                        testing::EncodeHeader("content-type", "text/html")});
  peer_->Send(Frame{testing::kData, testing::kEndStream, 1, "<html>no</html>"});
  EXPECT_EQ(call.Wait().status.code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(ForeignServer, ReaderOfAProxysPageIsToldTheEnd) {
  std::promise<std::optional<std::string>> read;
  PendingCall ended;
  channel();
  std::unique_ptr<Channel::Stream> stream =
      testing::RunOn(loop(), [&] { return channel_->Open("/s/M", CallOptions{}, ended.Done()); });
  peer_.emplace(listener_.Accept());
  ASSERT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
  peer_->Send(Frame{testing::kHeaders, testing::kEndHeaders, 1,
                    testing::EncodeHeader(":status", "502") +
                        testing::EncodeHeader("content-type", "text/html")});
  peer_->Send(Frame{testing::kPing, 0, 0, std::string(8, 'p')});
  ASSERT_TRUE(peer_->ReceiveType(testing::kPing).has_value());  // the headers were read before it
  testing::RunOn(loop(), [&] {
    stream->Read([&](std::optional<std::string> message) { read.set_value(std::move(message)); });
  });
  peer_->Send(Frame{testing::kData, testing::kEndStream, 1, "<html>no</html>"});
  EXPECT_EQ(read.get_future().get(), std::nullopt);
  EXPECT_EQ(ended.Wait().status.code(), absl::StatusCode::kUnavailable);
  testing::RunOn(loop(), [&] { stream.reset(); });
}

TEST_F(ForeignServer, OkWithoutAMessageIsInternal) {
  const CallResult result = AfterHeaders(testing::EncodeHeader(":status", "200") +
                                         testing::EncodeHeader("content-type", "application/grpc") +
                                         testing::EncodeHeader("grpc-status", "0"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kInternal);
}

TEST_F(ForeignServer, EndlessHeadersAreRefused) {
  PendingCall call = BeginCall();
  peer_->Send(Frame{testing::kHeaders, 0, 1,
                    testing::EncodeHeader(":status", "200") +
                        testing::EncodeHeader("x", std::string(10'000, 'x'))});
  peer_->Send(Frame{testing::kContinuation, testing::kEndHeaders, 1,
                    testing::EncodeHeader("y", std::string(10'000, 'y'))});
  const CallResult result = call.Wait();
  EXPECT_EQ(result.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(result.delivery, Delivery::kUndetermined);
}

TEST_F(ForeignServer, GarbageFromTheServerFailsTheConnect) {
  PendingCall call = Begin("/s/M", "request");
  RawPeer peer = listener_.Accept();
  peer.Send("HTTP/1.1 400 Bad Request\r\n\r\n");
  const CallResult result = call.Wait();
  EXPECT_FALSE(result.status.ok());
}

}  // namespace
}  // namespace engram::net
