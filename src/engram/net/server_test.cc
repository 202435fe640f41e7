#include "engram/net/server.h"

#include <thread>

#include "engram/base/error.h"
#include "engram/net/testing/fixture.h"
#include "engram/net/testing/raw_peer.h"

namespace engram::net {
namespace {

using testing::Eventually;
using testing::In;
using testing::PendingCall;
using testing::RunOn;
using namespace std::chrono_literals;

class ServerTest : public testing::NetTest {};

TEST_F(ServerTest, PortInUseIsSaidPlainly) {
  StartServer();
  ServerOptions options;
  options.port = server_->port();
  Server second(loops_, options);
  const absl::Status status = second.Start();
  EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidEndpoint);
  EXPECT_EQ(std::string(status.message()),
            "address " + address() + " is in use by another process");
}

TEST_F(ServerTest, PortCanBeUsedAgainAtOnce) {
  StartServer();
  Call(testing::kUnary, "x");
  ServerOptions options;
  options.port = server_->port();
  server_.reset();
  StartServer(options);
  // A new channel: the old one may not have noticed yet that its connection has ended.
  RunOn(loop(), [&] { channel_.reset(); });
  UseChannel(address());
  EXPECT_EQ(Call(testing::kUnary, "x").message, "x");
}

TEST_F(ServerTest, HandlerMayAnswerFromAnotherThread) {
  std::vector<std::thread> threads;
  StartServer({}, [&](Server& server) {
    server.AddUnary("/test/Thread", [&](ServerCall call, std::string request) {
      threads.emplace_back([call = std::move(call), request = std::move(request)]() mutable {
        call.Reply(std::move(request) + " from there");
      });
    });
  });
  EXPECT_EQ(Call("/test/Thread", "hello").message, "hello from there");
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ServerTest, DroppedCallIsInternal) {
  StartServer({}, [](Server& server) {
    server.AddUnary("/test/Drop", [](const ServerCall&, const std::string&) {});
  });
  EXPECT_EQ(Call("/test/Drop", "x").status.code(), absl::StatusCode::kInternal);
}

TEST_F(ServerTest, FallbackServesWhatHasNoHandler) {
  StartServer({}, [](Server& server) {
    server.AddFallback([](ServerCall call) {
      auto held = std::make_shared<ServerCall>(std::move(call));
      held->Read([held](const std::optional<std::string>& message) {
        held->Reply(std::string(held->method()) + " got " + message.value_or("nothing"));
      });
    });
  });
  EXPECT_EQ(Call("/any.Service/Method", "x").message, "/any.Service/Method got x");
  EXPECT_EQ(Call("/another", "y").message, "/another got y");
  EXPECT_EQ(Call(testing::kUnary, "x").message, "x");
}

TEST_F(ServerTest, HandlerSeesDeadlineMethodAndPeer) {
  TimePoint deadline;
  std::string method;
  std::string peer;
  StartServer({}, [&](Server& server) {
    server.AddUnary("/test/See", [&](ServerCall call, const std::string&) {
      deadline = call.deadline();
      method = call.method();
      peer = call.peer();
      call.Reply("");
    });
  });
  const TimePoint sent = In(10s);
  CallOptions options;
  options.deadline = sent;
  EXPECT_TRUE(Call("/test/See", "x", options).status.ok());
  EXPECT_LT(std::chrono::abs(deadline - sent), 1s);
  EXPECT_EQ(method, "/test/See");
  EXPECT_EQ(peer.substr(0, 10), "127.0.0.1:");
  EXPECT_TRUE(Call("/test/See", "x").status.ok());
  EXPECT_EQ(deadline, kNever);
}

TEST_F(ServerTest, HandlerIsToldOnceWhenTheClientCancels) {
  std::atomic<int> cancelled = 0;
  std::optional<ServerCall> held;
  StartServer({}, [&](Server& server) {
    server.AddUnary("/test/Hold", [&](ServerCall call, const std::string&) {
      held = std::move(call);
      held->OnCancel([&] { ++cancelled; });
    });
  });
  Channel::CallHandle handle;
  PendingCall call = Begin("/test/Hold", "x", {}, &handle);
  ASSERT_TRUE(Eventually([&] { return RunOn(loop(), [&] { return held.has_value(); }); }));
  RunOn(loop(), [&] { handle.Cancel(); });
  EXPECT_TRUE(Eventually([&] { return cancelled == 1; }));
  EXPECT_TRUE(held->cancelled());
  RunOn(loop(), [&] {
    held->Reply("too late");
    held.reset();
  });
  EXPECT_EQ(call.Wait().status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(cancelled, 1);
}

TEST_F(ServerTest, DrainLetsCallsEndAndTakesNoNewOnes) {
  std::optional<ServerCall> held;
  StartServer({}, [&](Server& server) {
    server.AddUnary("/test/Hold",
                    [&](ServerCall call, const std::string&) { held = std::move(call); });
  });
  PendingCall call = Begin("/test/Hold", "x");
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::calls_begun) == 1; }));

  std::thread drain([&] { server_->Drain(In(testing::kPatience)); });
  ASSERT_TRUE(Eventually(
      [&] { return RunOn(loop(), [&] { return channel_->state(); }) != Channel::State::kReady; }));
  const CallResult refused = Call(testing::kUnary, "new");
  EXPECT_EQ(refused.delivery, Delivery::kNotSent);
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kUnavailable);

  EXPECT_FALSE(call.ended());
  RunOn(loop(), [&] { std::exchange(held, std::nullopt)->Reply("done"); });
  EXPECT_EQ(call.Wait().message, "done");
  drain.join();
}

TEST_F(ServerTest, DrainDisownsNoCallThatComesRightBehindItsPing) {
  StartServer();
  testing::RawPeer peer(server_->port());
  peer.Begin();
  ASSERT_TRUE(peer.ReceiveType(testing::kSettings).has_value());
  std::thread drain([&] { server_->Drain(In(testing::kPatience)); });
  const auto ping = peer.ReceiveType(testing::kPing);
  ASSERT_TRUE(ping.has_value());
  constexpr uint8_t kAck = 1;
  std::string request(6, '\0');
  request[4] = 1;
  peer.Send(Encode(testing::Frame{testing::kPing, kAck, 0, ping->payload}) +
            Encode(testing::RequestHeaders(1, testing::kUnary)) +
            Encode(testing::Frame{testing::kData, testing::kEndStream, 1, request}));
  ASSERT_TRUE(peer.ReceiveType(testing::kGoaway).has_value());  // the notice
  const auto goaway = peer.ReceiveType(testing::kGoaway);
  ASSERT_TRUE(goaway.has_value());
  EXPECT_EQ(goaway->payload.substr(0, 4), std::string("\0\0\0\1", 4));
  drain.join();
  EXPECT_EQ(Count(&Counters::calls_begun), 1u);
  EXPECT_EQ(Count(&Counters::calls_cancelled), 0u);
}

// As clients do that read only while they have a call.
TEST_F(ServerTest, DrainWaitsNotLongForAPeerThatDoesNotAnswerItsPing) {
  StartServer();
  testing::RawPeer peer(server_->port());
  peer.Begin();
  ASSERT_TRUE(peer.ReceiveType(testing::kSettings).has_value());
  server_->Drain(In(60s));
  EXPECT_TRUE(peer.ReceiveType(testing::kGoaway).has_value()) << "the notice";
  EXPECT_TRUE(peer.ReceiveType(testing::kGoaway).has_value()) << "it was cut off instead";
}

TEST_F(ServerTest, DrainEndsWhatIsLeftAtItsDeadline) {
  StartServer();
  PendingCall call = Begin(testing::kUnary, "x", With("hang", "1"));
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::calls_begun) == 1; }));
  server_->Drain(In(20ms));
  EXPECT_EQ(call.Wait().delivery, Delivery::kUndetermined);
  EXPECT_EQ(Count(&Counters::connections_closed), 1u);
}

TEST_F(ServerTest, AUnaryCallEndsAtTheServersLimitThoughTheClientSetNone) {
  ServerOptions options;
  options.unary_limit = 20ms;
  StartServer(options);
  const CallResult result = Call(testing::kUnary, "x", With("hang", "1"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded) << result.status;
  EXPECT_EQ(result.delivery, Delivery::kAnswered);
}

// The loop finds the end of a call and its deadline in the same wake-up, in this order.
TEST_F(ServerTest, AnswerOfTheLastMomentIsStillSent) {
  std::optional<ServerCall> held;
  StartServer({}, [&](Server& server) {
    server.AddStream("/test/Hold", [&](ServerCall call) { held = std::move(call); });
    server.AddStream("/test/End", [&](ServerCall call) {
      std::exchange(held, std::nullopt)->Finish(absl::NotFoundError("just in time"));
      call.Finish(absl::OkStatus());
    });
  });
  testing::RawPeer second(server_->port());
  second.Begin();
  ASSERT_TRUE(second.ReceiveType(testing::kSettings).has_value());
  testing::RawPeer first(server_->port());
  first.Begin();
  testing::Frame hold = testing::RequestHeaders(1, "/test/Hold");
  hold.payload += testing::EncodeHeader("grpc-timeout", "50m");
  first.Send(hold);
  ASSERT_TRUE(Eventually([&] { return RunOn(loop(), [&] { return held.has_value(); }); }));
  const TimePoint deadline = RunOn(loop(), [&] { return held->deadline(); });
  std::promise<void> release;
  loop().Post([&] { release.get_future().wait(); });
  second.Send(testing::RequestHeaders(1, "/test/End"));
  EXPECT_TRUE(Eventually([&] { return EventLoop::Now() > deadline + 5ms; }));
  release.set_value();
  while (const auto frame = first.Receive()) {
    if (frame->stream != 1) continue;
    EXPECT_EQ(frame->type, testing::kHeaders);
    break;
  }
}

TEST_F(ServerTest, ConnectionsAreBounded) {
  ServerOptions options;
  options.connections_max = 2;
  StartServer(options);
  std::vector<std::shared_ptr<Channel>> channels;
  int served = 0;
  for (int i = 0; i < 3; ++i) {
    RunOn(loop(), [&] { channel_.reset(); });
    UseChannel(address());
    if (Call(testing::kUnary, "x").status.ok()) ++served;
    channels.push_back(channel_);
  }
  EXPECT_EQ(served, 2);
  EXPECT_EQ(Count(&Counters::connections_refused), 1u);
  RunOn(loop(), [&] { channels.clear(); });
}

TEST_F(ServerTest, TooMuchMetadataIsRefusedAndTheConnectionSurvives) {
  StartServer();
  const CallResult metadata = Call(testing::kUnary, "x", With("big", std::string(9000, 'x')));
  EXPECT_EQ(metadata.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DetailOf(metadata.status).field, "metadata");
  const CallResult headers = Call(testing::kUnary, "x", With("big", std::string(20000, 'x')));
  EXPECT_EQ(headers.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Call(testing::kUnary, "x").message, "x");
  EXPECT_EQ(Count(&Counters::connects), 1u);
  EXPECT_EQ(Count(&Counters::header_lists_refused), 2u);
}

TEST_F(ServerTest, EndlessErrorTextIsShortened) {
  StartServer({}, [](Server& server) {
    server.AddUnary("/test/Wordy", [](ServerCall call, const std::string&) {
      std::string words = "x";
      for (int i = 0; i < 100'000; ++i) words += "\u00e4";
      call.AddTrailer("big", std::string(100'000, 'x'));
      call.Reply(MakeError(ErrorCode::kInternal, words));
    });
  });
  const CallResult result = Call("/test/Wordy", "x");
  EXPECT_EQ(result.status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(std::string(result.status.message()).size(), 2047u) << "whole characters only";
}

TEST_F(ServerTest, CancelledCallsInPlentyAreNoFlood) {
  ServerOptions options;
  options.resets_max = 10;
  StartServer(options);
  for (int i = 0; i < 30; ++i) {
    for (int k = 0; k < 2; ++k) EXPECT_TRUE(Call(testing::kUnary, "x").status.ok());
    Channel::CallHandle handle;
    PendingCall call = Begin(testing::kUnary, "x", With("hang", "1"), &handle);
    RunOn(loop(), [&] { handle.Cancel(); });
    call.Wait();
  }
  EXPECT_EQ(Count(&Counters::connections_flooding), 0u);
  EXPECT_EQ(Count(&Counters::connects), 1u);
}

class ManyLoopsTest : public testing::NetTest {
 protected:
  ManyLoopsTest() : NetTest(3) {}
};

TEST_F(ManyLoopsTest, ConnectionsAreDealtOutInTurn) {
  StartServer();
  std::vector<std::shared_ptr<Channel>> channels;
  for (int i = 0; i < 6; ++i) {
    UseChannel(address());
    channels.push_back(channel_);
    EXPECT_TRUE(Call(testing::kUnary, "x").status.ok());
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(loops_.at(i).counters().calls_begun.value(), 2u);
  RunOn(loop(), [&] { channels.clear(); });
}

// A forwarder hands the request's string on as it is: what is counted is all the copying there is.
TEST_F(ManyLoopsTest, ForwarderCopiesABodyOnceInAndOnceOut) {
  StartServer();
  ServerOptions options;
  Server forwarder(loops_, options);
  std::atomic<const char*> received = nullptr;
  std::atomic<const char*> returned = nullptr;
  forwarder.AddUnary("/test/Forward", [&](ServerCall call, std::string request) {
    received = request.data();
    auto held = std::make_shared<ServerCall>(std::move(call));
    channel().Unary(testing::kUnary, {}, std::move(request), [&, held](CallResult result) {
      returned = result.request.data();
      held->Reply(std::move(result.message));
    });
  });
  ASSERT_TRUE(forwarder.Start().ok());
  // The channel of the forwarder belongs to loop 0, and the first connection is dealt to loop 0
  // too.
  channel();
  auto client = Channel::Create(loops_.at(1), "127.0.0.1:" + std::to_string(forwarder.port()), {});
  PendingCall call;
  const std::string body(100'000, 'b');
  RunOn(loops_.at(1), [&] { client->Unary("/test/Forward", {}, body, call.Done()); });
  EXPECT_EQ(call.Wait().message, body);
  EXPECT_EQ(received, returned) << "the bytes have not moved";
  const uint64_t one = body.size() + 5;
  EXPECT_EQ(Count(&Counters::message_bytes_received),
            4 * one);  // forwarder, owner, forwarder, client
  EXPECT_EQ(Count(&Counters::message_bytes_sent), 4 * one);
  RunOn(loops_.at(1), [&] { client.reset(); });
}

}  // namespace
}  // namespace engram::net
