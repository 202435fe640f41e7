// Streams in each direction, and that a slow side makes the other wait instead of memory grow.
#include <deque>

#include "engram/base/error.h"
#include "engram/net/testing/fixture.h"

namespace engram::net {
namespace {

using testing::Eventually;
using testing::In;
using testing::PendingCall;
using testing::RunOn;
using namespace std::chrono_literals;

class StreamingTest : public testing::NetTest {
 protected:
  ~StreamingTest() override {
    if (stream_ != nullptr) RunOn(loop(), [&] { stream_.reset(); });
  }

  void OpenStream(std::string_view method, CallOptions options = {}) {
    Channel& c = channel();
    RunOn(loop(), [&] { stream_ = c.Open(method, std::move(options), end_.Done()); });
  }
  bool Send(std::string message) {
    return RunOn(loop(), [&] { return stream_->Send(std::move(message)); });
  }
  void SendDone() {
    RunOn(loop(), [&] { stream_->SendDone(); });
  }
  std::optional<std::string> Read() {
    std::promise<std::optional<std::string>> promise;
    RunOn(loop(), [&] {
      stream_->Read(
          [&](std::optional<std::string> message) { promise.set_value(std::move(message)); });
    });
    return promise.get_future().get();
  }

  std::unique_ptr<Channel::Stream> stream_;
  PendingCall end_;
};

// Sends `count` messages of `size` bytes, waiting whenever Send says so, and counts what it got rid
// of.
class Flood : public std::enable_shared_from_this<Flood> {
 public:
  Flood(ServerCall call, size_t size, size_t count)
      : call_(std::move(call)), size_(size), left_(count) {}
  void Go() {
    while (left_ > 0) {
      --left_;
      ++sent_;
      if (!call_.Send(std::string(size_, 'f'))) {
        return call_.OnWritable([self = shared_from_this()] { self->Go(); });
      }
    }
    call_.Finish(absl::OkStatus());
  }
  size_t sent() const { return sent_; }

 private:
  ServerCall call_;
  const size_t size_;
  size_t left_;
  std::atomic<size_t> sent_ = 0;
};

TEST_F(StreamingTest, PingPong) {
  StartServer();
  OpenStream(testing::kBidi);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(Send(std::to_string(i)));
    EXPECT_EQ(Read(), std::to_string(i));
  }
  SendDone();
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(end_.Wait().status.ok());
}

TEST_F(StreamingTest, EmptyStreamEnds) {
  StartServer();
  OpenStream(testing::kBidi);
  SendDone();
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(end_.Wait().status.ok());
}

TEST_F(StreamingTest, StreamOpenedBeforeTheConnectionKeepsItsMessages) {
  StartServer();
  Channel& c = channel();
  RunOn(loop(), [&] {
    stream_ = c.Open(testing::kBidi, {}, end_.Done());
    for (const char* m : {"a", "", "c"}) stream_->Send(m);
    stream_->SendDone();
  });
  for (const char* m : {"a", "", "c"}) EXPECT_EQ(Read(), m);
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(end_.Wait().status.ok());
}

TEST_F(StreamingTest, MessageLargerThanTheWindowPasses) {
  StartServer();
  OpenStream(testing::kBidi);
  const std::string large(4u << 20, 'x');
  Send(large);
  EXPECT_EQ(Read(), large);
}

TEST_F(StreamingTest, ManySmallMessagesDoNotDeepenTheStack) {
  StartServer();
  OpenStream(testing::kBidi);
  constexpr int kMessages = 100'000;
  std::promise<void> done;
  int received = 0;
  std::function<void()> next = [&] {
    stream_->Read([&](const std::optional<std::string>& message) {
      if (!message.has_value()) return done.set_value();
      ++received;
      next();
    });
  };
  RunOn(loop(), [&] {
    for (int i = 0; i < kMessages; ++i) stream_->Send("");
    stream_->SendDone();
    next();
  });
  done.get_future().wait();
  EXPECT_EQ(received, kMessages);
}

TEST_F(StreamingTest, ClientStreamAnswersOnce) {
  StartServer({}, [](Server& server) {
    server.AddStream("/test/Sum", [](ServerCall call) {
      struct Sum : std::enable_shared_from_this<Sum> {
        explicit Sum(ServerCall c) : call(std::move(c)) {}
        void Next() {
          call.Read([self = shared_from_this()](std::optional<std::string> message) {
            if (!message.has_value()) return self->call.Reply(std::to_string(self->bytes));
            self->bytes += message->size();
            self->Next();
          });
        }
        ServerCall call;
        size_t bytes = 0;
      };
      std::make_shared<Sum>(std::move(call))->Next();
    });
  });
  OpenStream("/test/Sum");
  for (int i = 0; i < 50; ++i) Send(std::string(1000, 'x'));
  SendDone();
  EXPECT_EQ(Read(), "50000");
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(end_.Wait().status.ok());
}

TEST_F(StreamingTest, HandlerThatDoesNotReadMakesTheSenderWait) {
  std::optional<ServerCall> held;
  StartServer({}, [&](Server& server) {
    server.AddStream("/test/Slow", [&](ServerCall call) { held = std::move(call); });
  });
  OpenStream("/test/Slow");
  const std::string message(64u << 10, 'x');
  constexpr size_t kSent = 1000;  // 64 MiB
  bool writable = true;
  for (size_t i = 0; i < kSent && writable; ++i) writable = Send(message);
  EXPECT_FALSE(writable);
  // No more than a stream's window has left, however long we wait: a unary call went by meanwhile.
  EXPECT_EQ(Call(testing::kUnary, "not held up").message, "not held up");
  EXPECT_LE(Count(&Counters::message_bytes_received), (1u << 20) + 100);

  bool resumed = false;
  RunOn(loop(), [&] { stream_->OnWritable([&] { resumed = true; }); });
  std::function<void()> next = [&] {
    held->Read([&](const std::optional<std::string>& m) {
      if (m.has_value()) next();
    });
  };
  RunOn(loop(), [&] { next(); });
  EXPECT_TRUE(Eventually([&] { return RunOn(loop(), [&] { return resumed; }); }));
  RunOn(loop(), [&] { std::exchange(held, std::nullopt)->Finish(absl::OkStatus()); });
  EXPECT_TRUE(end_.Wait().status.ok());
}

TEST_F(StreamingTest, ClientThatDoesNotReadMakesTheHandlerWait) {
  std::shared_ptr<Flood> flood;
  constexpr size_t kCount = 500;
  StartServer({}, [&](Server& server) {
    server.AddStream("/test/Flood", [&](ServerCall call) {
      flood = std::make_shared<Flood>(std::move(call), 64u << 10, kCount);
      flood->Go();
    });
  });
  OpenStream("/test/Flood");
  SendDone();
  EXPECT_EQ(Call(testing::kUnary, "x").message, "x");
  EXPECT_EQ(Call(testing::kUnary, "y").message, "y");
  // A window's worth in the client, a queue's worth in the server.
  EXPECT_LE(RunOn(loop(), [&] { return flood->sent(); }), 40u);
  for (size_t i = 0; i < kCount; ++i) EXPECT_EQ(Read()->size(), 64u << 10);
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_TRUE(end_.Wait().status.ok());
  RunOn(loop(), [&] { flood.reset(); });
}

TEST_F(StreamingTest, StalledStreamsDoNotStallTheConnection) {
  std::deque<ServerCall> held;
  StartServer({}, [&](Server& server) {
    server.AddStream("/test/Slow", [&](ServerCall call) { held.push_back(std::move(call)); });
  });
  std::vector<std::unique_ptr<Channel::Stream>> streams;
  Channel& c = channel();
  RunOn(loop(), [&] {
    for (int i = 0; i < 20; ++i) {
      streams.push_back(c.Open("/test/Slow", {}, [](const CallResult&) {}));
      streams.back()->Send(std::string(2u << 20, 'x'));
    }
  });
  EXPECT_EQ(Call(testing::kUnary, std::string(1u << 20, 'y')).message.size(), 1u << 20);
  // Their bytes are given back when they end: otherwise the connection would be full after the
  // second round.
  for (int round = 0; round < 5; ++round) {
    RunOn(loop(), [&] {
      for (auto& stream : streams) {
        stream = c.Open("/test/Slow", {}, [](const CallResult&) {});
        stream->Send(std::string(2u << 20, 'x'));
      }
    });
    EXPECT_EQ(Call(testing::kUnary, std::string(1u << 20, 'y')).message.size(), 1u << 20);
  }
  RunOn(loop(), [&] {
    streams.clear();
    held.clear();
  });
}

TEST_F(StreamingTest, HeadersComeBeforeTheMessagesAndLateOnesNotAtAll) {
  StartServer({}, [](Server& server) {
    server.AddStream("/test/Headers", [](ServerCall call) {
      auto held = std::make_shared<ServerCall>(std::move(call));
      held->AddHeader("early", "1");
      held->AddHeader("early-bin", std::string_view("\0\xff", 2));
      held->AddHeader("te", "reserved");
      held->SendHeaders();
      held->AddHeader("late", "1");
      held->Read([held](const std::optional<std::string>&) {
        held->Send("one");
        held->Finish(absl::OkStatus());
      });
    });
  });
  std::promise<Metadata> headers;
  Channel& c = channel();
  RunOn(loop(), [&] {
    stream_ = c.Open("/test/Headers", {}, end_.Done());
    stream_->OnHeaders([&](const Metadata& metadata) { headers.set_value(metadata); });
  });
  const Metadata got = headers.get_future().get();
  EXPECT_EQ(got.entries().size(), 2u);
  EXPECT_EQ(got.Find("early"), "1");
  EXPECT_EQ(got.Find("early-bin"), std::string_view("\0\xff", 2));
  SendDone();
  EXPECT_EQ(Read(), "one");
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_EQ(end_.Wait().initial.Find("early"), "1");
}

TEST_F(StreamingTest, CallThatEndsAtOnceHasNoHeaders) {
  StartServer();
  bool called = false;
  Channel& c = channel();
  RunOn(loop(), [&] {
    stream_ = c.Open("/test.Echo/Nothing", {}, end_.Done());
    stream_->OnHeaders([&](const Metadata&) { called = true; });
  });
  end_.Wait();
  RunOn(loop(), [&] { EXPECT_FALSE(called); });
}

TEST_F(StreamingTest, ErrorAfterMessagesComesAfterThem) {
  StartServer({}, [](Server& server) {
    server.AddStream("/test/Partly", [](ServerCall call) {
      call.Send("one");
      call.Send("two");
      call.AddTrailer("why", "because");
      call.Finish(MakeError(ErrorCode::kNotFound, "no three"));
    });
  });
  OpenStream("/test/Partly");
  SendDone();
  EXPECT_EQ(Read(), "one");
  EXPECT_FALSE(end_.ended());
  EXPECT_EQ(Read(), "two");
  EXPECT_EQ(Read(), std::nullopt);
  const CallResult end = end_.Wait();
  EXPECT_EQ(CodeOf(end.status), ErrorCode::kNotFound);
  EXPECT_EQ(end.trailing.Find("why"), "because");
  EXPECT_EQ(end.delivery, Delivery::kAnswered);
}

TEST_F(StreamingTest, RefusalEndsASenderAtOnce) {
  StartServer();
  OpenStream("/test.Echo/Nothing");
  EXPECT_EQ(end_.Wait().status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_TRUE(Send("dropped"));
  EXPECT_EQ(Call(testing::kUnary, "x").message, "x");
}

TEST_F(StreamingTest, CancelledStreamEndsBothSides) {
  StartServer();
  OpenStream(testing::kBidi);
  Send("x");
  EXPECT_EQ(Read(), "x");
  RunOn(loop(), [&] { stream_->Cancel(); });
  EXPECT_EQ(end_.Wait().status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(Eventually([&] { return Count(&Counters::calls_cancelled) == 1; }));
}

TEST_F(StreamingTest, DroppedStreamIsCancelled) {
  StartServer();
  OpenStream(testing::kBidi);
  Send("x");
  EXPECT_EQ(Read(), "x");
  RunOn(loop(), [&] { stream_.reset(); });
  EXPECT_EQ(end_.Wait().status.code(), absl::StatusCode::kCancelled);
}

TEST_F(StreamingTest, DeadlineEndsAStream) {
  StartServer();
  OpenStream(testing::kBidi, Within(50ms));
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_EQ(end_.Wait().status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(StreamingTest, LostConnectionEndsAStream) {
  StartServer();
  OpenStream(testing::kBidi);
  Send("x");
  EXPECT_EQ(Read(), "x");
  server_->Drain(TimePoint::min());
  EXPECT_EQ(Read(), std::nullopt);
  EXPECT_EQ(end_.Wait().delivery, Delivery::kUndetermined);
}

}  // namespace
}  // namespace engram::net
