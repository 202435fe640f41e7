#include "engram/net/channel.h"

#include <boost/asio/ip/tcp.hpp>
#include <vector>

#include "engram/base/error.h"
#include "engram/net/testing/fixture.h"

namespace engram::net {
namespace {

using testing::In;
using testing::PendingCall;
using testing::RunOn;
using namespace std::chrono_literals;

class ChannelTest : public testing::NetTest {};

// An address where nothing listens, and nothing can begin to.
class ClosedPort {
 public:
  ClosedPort() : socket_(context_) {
    socket_.open(boost::asio::ip::tcp::v4());
    socket_.bind({boost::asio::ip::address_v4::loopback(), 0});
  }
  std::string address() const {
    return "127.0.0.1:" + std::to_string(socket_.local_endpoint().port());
  }

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_;
};

TEST_F(ChannelTest, EchoesAMessage) {
  StartServer();
  const CallResult result = Call(testing::kUnary, "hello");
  EXPECT_TRUE(result.status.ok()) << std::string(result.status.message());
  EXPECT_EQ(result.delivery, Delivery::kAnswered);
  EXPECT_EQ(result.message, "hello");
}

TEST_F(ChannelTest, GivesTheRequestBack) {
  StartServer();
  const std::string request(1000, 'r');
  EXPECT_EQ(Call(testing::kUnary, request).request, request);
  EXPECT_EQ(Call(testing::kUnary, request, With("fail", "no")).request, request);
  CallOptions hang = With("hang", "1");
  hang.deadline = In(50ms);
  EXPECT_EQ(Call(testing::kUnary, request, hang).request, request);
}

TEST_F(ChannelTest, CarriesEmptyAndLargestMessages) {
  StartServer();
  EXPECT_EQ(Call(testing::kUnary, "").message, "");
  const std::string large(4u << 20, 'x');
  const CallResult result = Call(testing::kUnary, large);
  EXPECT_TRUE(result.status.ok()) << std::string(result.status.message());
  EXPECT_EQ(result.message, large);
}

TEST_F(ChannelTest, OversizedMessageIsRefusedAndTheConnectionSurvives) {
  StartServer();
  const CallResult result = Call(testing::kUnary, std::string((4u << 20) + 1, 'x'));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DetailOf(result.status).field, "message");
  EXPECT_NE(std::string(result.status.message()).find("4194304"), std::string::npos);
  EXPECT_EQ(Call(testing::kUnary, "after").message, "after");
  EXPECT_EQ(Count(&Counters::connects), 1u);
}

TEST_F(ChannelTest, OversizedReplyIsRefused) {
  StartServer();
  ChannelOptions options;
  options.message_bytes_max = 100;
  UseChannel(address(), options);
  const CallResult result = Call(testing::kUnary, std::string(101, 'x'));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(result.delivery, Delivery::kUndetermined);
  EXPECT_EQ(Call(testing::kUnary, "after").message, "after");
}

TEST_F(ChannelTest, ErrorsArriveWithTheirTextAndDetails) {
  StartServer({}, [](Server& server) {
    server.AddUnary("/test/Fail", [](ServerCall call, const std::string&) {
      ErrorDetail detail;
      detail.code = ErrorCode::kOverloaded;
      detail.space = "räume/1";
      detail.node = "n1";
      detail.retry_after = 1500ms;
      call.Reply(MakeError(detail, "zu viel: 100 %\r\n\u00e4\u4f60\U0001F600"));
    });
  });
  const CallResult result = Call("/test/Fail", "");
  EXPECT_EQ(result.delivery, Delivery::kAnswered);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(std::string(result.status.message()), "zu viel: 100 %\r\n\u00e4\u4f60\U0001F600");
  const ErrorDetail detail = DetailOf(result.status);
  EXPECT_EQ(detail.code, ErrorCode::kOverloaded);
  EXPECT_EQ(detail.space, "räume/1");
  EXPECT_EQ(detail.node, "n1");
  EXPECT_EQ(detail.retry_after, Duration(1500ms));
}

TEST_F(ChannelTest, MetadataTravelsBothWaysTextAndBinary) {
  StartServer();
  CallOptions options = With("echo", "some text");
  const std::string binary("\0\1\xff,=", 5);
  options.metadata.Add("echo-bin", binary);
  const CallResult result = Call(testing::kUnary, "x", options);
  EXPECT_EQ(result.trailing.Find("echo"), "some text");
  EXPECT_EQ(result.trailing.Find("echo-bin"), binary);
}

TEST_F(ChannelTest, HeadersAndTrailersAreKeptApartAlsoWithAnError) {
  StartServer({}, [](Server& server) {
    server.AddUnary("/test/Both", [](ServerCall call, const std::string& request) {
      call.AddHeader("at", "the beginning");
      call.AddTrailer("at", "the end");
      call.Reply(request.empty() ? absl::StatusOr<std::string>(InvalidArgument("test", "empty"))
                                 : request);
    });
  });
  for (const char* request : {"x", ""}) {
    const CallResult result = Call("/test/Both", request);
    EXPECT_EQ(result.status.ok(), *request != 0);
    EXPECT_EQ(result.initial.Find("at"), "the beginning");
    EXPECT_EQ(result.trailing.Find("at"), "the end");
    EXPECT_EQ(result.trailing.entries().size(), 1u);
  }
}

TEST_F(ChannelTest, MetadataThatCannotBeSentFailsTheCallOnly) {
  StartServer();
  const CallResult result = Call(testing::kUnary, "x", With("echo", "two\nlines"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
  EXPECT_EQ(Call(testing::kUnary, "x").message, "x");
}

TEST_F(ChannelTest, UnknownMethodIsUnimplemented) {
  StartServer();
  const CallResult result = Call("/test.Echo/Nothing", "x");
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(result.delivery, Delivery::kAnswered);
}

TEST_F(ChannelTest, RefusedConnectIsNotSentAndBackingOffFailsAtOnce) {
  const ClosedPort port;
  ChannelOptions options;
  options.reconnect_delay_min = options.reconnect_delay_max = 1h;
  UseChannel(port.address(), options);
  for (int i = 0; i < 2; ++i) {
    const CallResult result = Call(testing::kUnary, "x");
    EXPECT_EQ(CodeOf(result.status), ErrorCode::kConnectionFailed);
    EXPECT_TRUE(WasRefused(result.status));
    EXPECT_EQ(result.delivery, Delivery::kNotSent);
    EXPECT_EQ(result.request, "x");
  }
  EXPECT_EQ(Count(&Counters::connects_failed), 1u);
  EXPECT_EQ(RunOn(loop(), [&] { return channel_->state(); }), Channel::State::kBackingOff);
}

TEST_F(ChannelTest, ReconnectsAfterBackingOff) {
  const ClosedPort port;
  ChannelOptions options;
  options.reconnect_delay_min = options.reconnect_delay_max = 1ms;
  UseChannel(port.address(), options);
  EXPECT_TRUE(testing::Eventually([&] {
    Call(testing::kUnary, "x");
    return Count(&Counters::connects_failed) >= 3;
  }));
}

TEST_F(ChannelTest, BadAddressFailsEachCall) {
  for (const char* bad : {"", "host", "host:", ":1", "host:0", "host:70000", "a:b:1", "host:1x"}) {
    RunOn(loop(), [&] { channel_.reset(); });
    UseChannel(bad);
    const CallResult result = Call(testing::kUnary, "x");
    EXPECT_EQ(CodeOf(result.status), ErrorCode::kInvalidEndpoint) << bad;
    EXPECT_EQ(result.delivery, Delivery::kNotSent);
  }
}

TEST_F(ChannelTest, NamesAreResolved) {
  StartServer();
  UseChannel("localhost:" + std::to_string(server_->port()));
  EXPECT_EQ(Call(testing::kUnary, "x").message, "x");
}

TEST_F(ChannelTest, PeerThatAcceptsButNeverSpeaksIsNotSent) {
  boost::asio::io_context context;
  const boost::asio::ip::tcp::acceptor mute(context, {boost::asio::ip::address_v4::loopback(), 0});
  ChannelOptions options;
  options.connect_timeout = 50ms;
  UseChannel("127.0.0.1:" + std::to_string(mute.local_endpoint().port()), options);
  const CallResult result = Call(testing::kUnary, "x");
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kConnectionFailed);
  EXPECT_FALSE(WasRefused(result.status)) << "its process may be there";
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
}

TEST_F(ChannelTest, DeadlineEndsACallThatIsNotAnswered) {
  StartServer();
  CallOptions options = With("hang", "1");
  options.deadline = In(50ms);
  const CallResult result = Call(testing::kUnary, "x", options);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(testing::Eventually([&] {
    return Count(&Counters::calls_cancelled) + Count(&Counters::calls_deadline_exceeded) == 1;
  }));
}

TEST_F(ChannelTest, PassedDeadlineIsNotSent) {
  const ClosedPort port;
  UseChannel(port.address());
  EXPECT_EQ(Call(testing::kUnary, "x", Within(-1s)).delivery, Delivery::kNotSent);
}

TEST_F(ChannelTest, CancelEndsTheCallHereAndThere) {
  StartServer();
  Channel::CallHandle handle;
  PendingCall call = Begin(testing::kUnary, "x", With("hang", "1"), &handle);
  ASSERT_TRUE(testing::Eventually([&] { return Count(&Counters::calls_begun) == 1; }));
  RunOn(loop(), [&] { handle.Cancel(); });
  const CallResult result = call.Wait();
  EXPECT_EQ(result.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(result.delivery, Delivery::kUndetermined);
  EXPECT_EQ(result.request, "x");
  EXPECT_TRUE(testing::Eventually([&] { return Count(&Counters::calls_cancelled) == 1; }));
}

TEST_F(ChannelTest, CallsOfALostConnectionAreUndetermined) {
  StartServer();
  PendingCall call = Begin(testing::kUnary, "x", With("hang", "1"));
  ASSERT_TRUE(testing::Eventually([&] { return Count(&Counters::calls_begun) == 1; }));
  server_->Drain(TimePoint::min());
  const CallResult result = call.Wait();
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kUndetermined);
  EXPECT_EQ(result.delivery, Delivery::kUndetermined);
}

TEST_F(ChannelTest, CloseEndsCallsAndTheChannelStaysUsable) {
  StartServer();
  PendingCall call = Begin(testing::kUnary, "x", With("hang", "1"));
  ASSERT_TRUE(testing::Eventually([&] { return Count(&Counters::calls_begun) == 1; }));
  RunOn(loop(), [&] { channel_->Close(); });
  EXPECT_EQ(call.Wait().status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Call(testing::kUnary, "again").message, "again");
}

TEST_F(ChannelTest, DroppingTheChannelEndsItsCalls) {
  StartServer();
  PendingCall waiting = Begin(testing::kUnary, "x", With("hang", "1"));
  ASSERT_TRUE(testing::Eventually([&] { return Count(&Counters::calls_begun) == 1; }));
  RunOn(loop(), [&] { channel_.reset(); });
  EXPECT_EQ(waiting.Wait().status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(ChannelTest, CallBackMayDropTheChannel) {
  StartServer();
  PendingCall call;
  Channel& c = channel();
  RunOn(loop(), [&] {
    c.Unary(testing::kUnary, {}, "x", [this, done = call.Done()](CallResult result) mutable {
      channel_.reset();
      done(std::move(result));
    });
  });
  EXPECT_EQ(call.Wait().message, "x");
}

TEST_F(ChannelTest, ThousandsOfCallsShareOneConnection) {
  ServerOptions options;
  options.concurrent_streams_max = 100;  // the rest waits for its turn
  StartServer(options);
  std::vector<PendingCall> calls(5000);
  Channel& c = channel();
  RunOn(loop(), [&] {
    for (size_t i = 0; i < calls.size(); ++i) {
      c.Unary(testing::kUnary, {}, std::to_string(i), calls[i].Done());
    }
  });
  for (size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(calls[i].Wait().message, std::to_string(i));
  EXPECT_EQ(Count(&Counters::connects), 1u);
}

TEST_F(ChannelTest, SilentPeerIsFoundByKeepAlive) {
  StartServer();
  ChannelOptions options;
  options.keepalive_interval = 20ms;
  options.keepalive_timeout = 50ms;
  EventLoopGroup other(1);
  other.Start();
  std::shared_ptr<Channel> c = Channel::Create(other.at(0), address(), options);
  PendingCall first;
  RunOn(other.at(0), [&] { c->Unary(testing::kUnary, {}, "x", first.Done()); });
  EXPECT_TRUE(first.Wait().status.ok());
  std::promise<void> release;
  loop().Post([future = release.get_future().share()] { future.wait(); });  // the server hangs
  EXPECT_TRUE(
      testing::Eventually([&] { return other.at(0).counters().keepalives_missed.value() == 1; }));
  release.set_value();
  RunOn(other.at(0), [&] { c.reset(); });
  other.Stop();
}

}  // namespace
}  // namespace engram::net
