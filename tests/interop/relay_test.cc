// What a client and a server see of each other through the hop, beyond the cases of the interop
// list.
#include "interop/relay.h"

#include <atomic>

#include "absl/strings/cord.h"
#include "engram/base/error.h"
#include "engram/net/grpc_status.h"
#include "engram/net/testing/fixture.h"

namespace engram::interop {
namespace {

using net::CallOptions;
using net::CallResult;
using net::Channel;
using net::Counters;
using net::Metadata;
using net::Server;
using net::ServerCall;
using net::testing::Eventually;
using net::testing::In;
using net::testing::PendingCall;
using net::testing::RunOn;
using namespace std::chrono_literals;

constexpr size_t kMessageBytes = 64u << 10;
// What may wait between two that do not read: a queue of 1 MiB and a window of 1 MiB, before the
// hop and behind it, and the messages under way.
constexpr size_t kMessagesBetween = 2 * 2 * (1u << 20) / kMessageBytes + 8;

// channel() leads to the hop, the hop to server_.
class RelayTest : public net::testing::NetTest {
 protected:
  RelayTest() : hop_(loops_, {}) {}
  ~RelayTest() override {
    RunOn(loop(), [&] { stream_.reset(); });
    RunOn(loop(), [&] { target_.reset(); });
    hop_.Drain(In(20s));
  }

  void StartBehindHop(const std::function<void(Server&)>& add = {}) {
    StartServer({}, add);
    target_ = Channel::Create(loop(), address(), {});
    hop_.AddFallback([this](ServerCall call) { Relay(std::move(call), *target_); });
    ASSERT_TRUE(hop_.Start().ok());
    UseChannel("127.0.0.1:" + std::to_string(hop_.port()));
  }

  void OpenStream(std::string_view method) {
    Channel& c = channel();
    RunOn(loop(), [&] { stream_ = c.Open(method, {}, end_.Done()); });
  }
  bool Send(std::string message) {
    return RunOn(loop(), [&] { return stream_->Send(std::move(message)); });
  }
  std::optional<std::string> Read() {
    std::promise<std::optional<std::string>> promise;
    loop().Post([&] {
      stream_->Read([&](std::optional<std::string> m) { promise.set_value(std::move(m)); });
    });
    return promise.get_future().get();
  }
  // The loop, which all share, has had every opportunity to move something.
  void LetGo() {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(Call(net::testing::kUnary, "x").status.ok());
  }

  Server hop_;
  std::shared_ptr<Channel> target_;
  std::unique_ptr<Channel::Stream> stream_;
  PendingCall end_;
};

// A handler that sends without end, as fast as it may.
class Source : public std::enable_shared_from_this<Source> {
 public:
  Source(ServerCall call, size_t count) : call_(std::move(call)), left_(count) {}
  void Go() {
    for (; left_ > 0; ++sent) {
      --left_;
      if (!call_.Send(std::string(kMessageBytes, 's'))) {
        ++sent;
        return call_.OnWritable([self = shared_from_this()] { self->Go(); });
      }
    }
    call_.Finish(absl::OkStatus());
  }
  std::atomic<size_t> sent = 0;

 private:
  ServerCall call_;
  size_t left_;
};

TEST_F(RelayTest, MetadataGoesToWhereItCameFrom) {
  StartBehindHop([](Server& server) {
    server.AddUnary("/test/Metadata", [](ServerCall call, const std::string& request) {
      call.AddHeader("initial", "1");
      call.AddTrailer("trailing-bin", std::string(*call.metadata().Find("asked-bin")));
      call.Reply(std::string(call.method()) + request);
    });
  });
  const std::string binary("\0\xff,", 3);
  const CallResult result = Call("/test/Metadata", "!", With("asked-bin", binary));
  EXPECT_EQ(result.message, "/test/Metadata!");
  EXPECT_EQ(result.initial.Find("initial"), "1");
  EXPECT_EQ(result.trailing.Find("trailing-bin"), binary);
}

TEST_F(RelayTest, StatusArrivesWithItsDetailsOursOrForeign) {
  StartBehindHop([](Server& server) {
    server.AddUnary("/test/Foreign", [](ServerCall call, const std::string&) {
      absl::Status status = absl::AbortedError("Ünsinn\n");
      status.SetPayload(net::kForeignDetailsPayload, absl::Cord("not ours"));
      call.Reply(status);
    });
  });
  const absl::Status ours = Call(net::testing::kUnary, "x", With("fail", "no")).status;
  EXPECT_EQ(ours.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DetailOf(ours).field, "test");
  const absl::Status foreign = Call("/test/Foreign", "x").status;
  EXPECT_EQ(foreign.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(foreign.message(), "Ünsinn\n");
  EXPECT_EQ(foreign.GetPayload(net::kForeignDetailsPayload), absl::Cord("not ours"));
}

TEST_F(RelayTest, HeadersComeBeforeThereIsAMessage) {
  StartBehindHop([](Server& server) {
    server.AddStream("/test/Early", [](ServerCall call) {
      auto held = std::make_shared<ServerCall>(std::move(call));
      held->AddHeader("early", "1");
      held->SendHeaders();
      held->Read([held](const std::optional<std::string>&) { held->Finish(absl::OkStatus()); });
    });
  });
  std::promise<Metadata> headers;
  Channel& c = channel();
  RunOn(loop(), [&] {
    stream_ = c.Open("/test/Early", {}, end_.Done());
    stream_->OnHeaders([&](const Metadata& metadata) { headers.set_value(metadata); });
  });
  EXPECT_EQ(headers.get_future().get().Find("early"), "1");
  RunOn(loop(), [&] { stream_->SendDone(); });
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(end_.Wait().status.ok());
}

TEST_F(RelayTest, ServerSeesTheTimeThatIsLeft) {
  TimePoint deadline;
  StartBehindHop([&](Server& server) {
    server.AddUnary("/test/Deadline", [&](ServerCall call, const std::string&) {
      deadline = call.deadline();
      call.Reply("");
    });
  });
  CallOptions options;
  options.deadline = In(100s);
  EXPECT_TRUE(Call("/test/Deadline", "x", options).status.ok());
  EXPECT_LE(deadline, options.deadline + 1ms);
  EXPECT_GT(deadline, options.deadline - 90s);
  EXPECT_TRUE(Call("/test/Deadline", "x").status.ok());
  EXPECT_EQ(deadline, kNever);
}

TEST_F(RelayTest, CancellationReachesTheServer) {
  StartBehindHop();
  OpenStream(net::testing::kBidi);
  Send("x");
  EXPECT_EQ(Read(), "x");
  RunOn(loop(), [&] { stream_->Cancel(); });
  EXPECT_EQ(end_.Wait().status.code(), absl::StatusCode::kCancelled);
  // At the hop and at the server.
  EXPECT_TRUE(Eventually([&] { return Count(&Counters::calls_cancelled) == 2; }));
}

TEST_F(RelayTest, PassedDeadlineEndsTheCallAtTheServerToo) {
  StartBehindHop();
  const CallResult result = Call(net::testing::kUnary, "x", [] {
    CallOptions options = Within(50ms);
    options.metadata.Add("hang", "1");
    return options;
  }());
  EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded);
  const auto ended = [&] {
    return Count(&Counters::calls_cancelled) + Count(&Counters::calls_deadline_exceeded);
  };
  EXPECT_TRUE(Eventually([&] { return ended() == 2; }));
}

TEST_F(RelayTest, LostServerIsUnavailable) {
  StartBehindHop();
  OpenStream(net::testing::kBidi);
  Send("x");
  EXPECT_EQ(Read(), "x");
  server_->Drain(TimePoint::min());
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_EQ(end_.Wait().status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(RelayTest, ServerThatDoesNotReadMakesTheClientWait) {
  std::optional<ServerCall> held;
  StartBehindHop([&](Server& server) {
    server.AddStream("/test/Slow", [&](ServerCall call) { held = std::move(call); });
  });
  OpenStream("/test/Slow");
  constexpr size_t kMessages = 1000;
  size_t sent = 0;
  std::function<void()> flood = [&] {
    for (; sent < kMessages; ++sent) {
      if (stream_->Send(std::string(kMessageBytes, 'c'))) continue;
      ++sent;
      return stream_->OnWritable([&] { flood(); });
    }
    stream_->SendDone();
  };
  RunOn(loop(), [&] { flood(); });
  LetGo();
  EXPECT_LE(RunOn(loop(), [&] { return sent; }), kMessagesBetween);

  std::atomic<size_t> received = 0;
  std::function<void()> next = [&] {
    held->Read([&](const std::optional<std::string>& message) {
      if (!message.has_value()) return std::exchange(held, std::nullopt)->Finish(absl::OkStatus());
      ++received;
      next();
    });
  };
  RunOn(loop(), [&] { next(); });
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(end_.Wait().status.ok());
  EXPECT_EQ(received, kMessages);
}

TEST_F(RelayTest, ClientThatDoesNotReadMakesTheServerWait) {
  constexpr size_t kMessages = 1000;
  std::shared_ptr<Source> source;
  StartBehindHop([&](Server& server) {
    server.AddStream("/test/Source", [&](ServerCall call) {
      source = std::make_shared<Source>(std::move(call), kMessages);
      source->Go();
    });
  });
  OpenStream("/test/Source");
  LetGo();
  EXPECT_LE(source->sent, kMessagesBetween);
  for (size_t i = 0; i < kMessages; ++i) ASSERT_EQ(Read()->size(), kMessageBytes);
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(end_.Wait().status.ok());
  RunOn(loop(), [&] { source.reset(); });
}

}  // namespace
}  // namespace engram::interop
