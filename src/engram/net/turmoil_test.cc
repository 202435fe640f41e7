// Calls, unary and streaming, under random cancellations, deadlines, closed channels and restarted
// servers: each ends exactly once, in time, and nothing of it is left.
//
// ENGRAM_TURMOIL_CALLS sets how many calls there are, ENGRAM_TURMOIL_SEED what happens to them.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "engram/net/testing/fixture.h"

namespace engram::net {
namespace {

using testing::Eventually;
using testing::In;
using testing::RunOn;

// How long after its deadline a call may end, on the clock of the loop's own timers.
constexpr Duration kGrace = std::chrono::milliseconds(50);
constexpr int64_t kOpenMax = 2000;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  const std::string_view value(text);
  std::from_chars(value.data(), value.data() + value.size(), otherwise);
  return otherwise;
}

// One call, held by its own call-backs.
struct TurmoilCall : std::enable_shared_from_this<TurmoilCall> {
  explicit TurmoilCall(EventLoop& loop) : watch(loop) {}

  // Sends what is left, reads what comes.
  void Converse() {
    for (; messages > 0; --messages) stream->Send(std::string(500, 'm'));
    stream->SendDone();
    ReadAll();
  }
  void ReadAll() {
    stream->Read([self = shared_from_this()](const std::optional<std::string>& message) {
      if (message.has_value() && self->stream != nullptr) self->ReadAll();
    });
  }

  TimePoint deadline = kNever;
  EventLoop::Timer watch;
  std::unique_ptr<Channel::Stream> stream;
  Channel::CallHandle handle;
  int messages = 0;
  int ends = 0;
};

class TurmoilTest : public testing::NetTest {
 protected:
  TurmoilTest() : NetTest(2) {}
  ~TurmoilTest() override {
    RunOn(loop(), [this] { lateness_.clear(); });
  }

  int Random(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  // The rest is of the channel's loop.

  // Begins a call and perhaps disturbs it.
  void Disturb() {
    CallOptions options;
    const int kind = Random(10);
    const bool streaming = kind >= 7;
    if (kind < 3) options.metadata.Add("hang", "1");
    // What hangs needs an end; a deadline may also come while the answer is on its way.
    if (kind < 5 || kind == 9) options.deadline = In(std::chrono::microseconds(Random(5000)));
    auto call = std::make_shared<TurmoilCall>(loop());
    call->deadline = options.deadline;
    Watch(call);
    ++begun_;
    if (streaming) {
      BeginStream(call, std::move(options));
    } else {
      call->handle =
          channel_->Unary(testing::kUnary, std::move(options),
                          std::string(static_cast<size_t>(Random(3000)), 'x'), End(call));
    }
    if (Random(5) == 0) loop().Post([call] { Cancel(*call); });
    if (Random(7) == 0) Cancel(*call);
    if (Random(2000) == 0) channel_->Close();
  }
  void BeginStream(const std::shared_ptr<TurmoilCall>& call, CallOptions options) {
    call->stream = channel_->Open(testing::kBidi, std::move(options), End(call));
    call->messages = Random(5);
    call->Converse();
  }
  static void Cancel(TurmoilCall& call) {
    if (call.stream != nullptr) call.stream->Cancel();
    call.handle.Cancel();
  }
  // Timers of one loop fire in the order of their times. So however slow the machine, this one
  // finds the call ended if the call's own timer was set to the deadline and did its work.
  void Watch(const std::shared_ptr<TurmoilCall>& call) {
    if (call->deadline == kNever) return;
    call->watch.RunAt(call->deadline + kGrace, [this, watched = std::weak_ptr(call)] {
      // The end is told by a task that may be queued behind this one.
      loop().Post([this, watched] {
        const auto late = watched.lock();
        if (late != nullptr && late->ends == 0) ++overdue_;
      });
    });
  }
  Channel::Done End(const std::shared_ptr<TurmoilCall>& call) {
    return [this, call](const CallResult&) {
      call->watch.Cancel();
      if (++call->ends == 1) ++ended_;
      if (call->ends > 1) ++ended_twice_;
      if (call->deadline != kNever) {
        lateness_.push_back(std::max(Duration::zero(), EventLoop::Now() - call->deadline));
      }
      // The handle ends with the call, but not from within it.
      loop().Post([call] { call->stream.reset(); });
    };
  }

  void PrintLateness() {
    if (lateness_.empty()) return;
    std::sort(lateness_.begin(), lateness_.end());
    const auto micros = [this](size_t per_mille) {
      const Duration d = lateness_[(lateness_.size() - 1) * per_mille / 1000];
      return static_cast<long>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
    };
    std::printf(
        "ended after the deadline, of %zu calls with one: p50 %ld us, p99 %ld us, p99.9 %ld us, "
        "max %ld us\n",
        lateness_.size(), micros(500), micros(990), micros(999), micros(1000));
  }
  int64_t Open(Counter Counters::*begun, Counter Counters::*ended) {
    return static_cast<int64_t>(Count(begun) - Count(ended));
  }

  const uint64_t calls_ = FromEnvironment("ENGRAM_TURMOIL_CALLS", 30'000);
  const uint64_t seed_ = FromEnvironment("ENGRAM_TURMOIL_SEED", std::random_device()());
  std::mt19937_64 random_{seed_};
  std::vector<Duration> lateness_;
  int64_t begun_ = 0;
  int64_t ended_ = 0;
  int64_t ended_twice_ = 0;
  int64_t overdue_ = 0;
};

TEST_F(TurmoilTest, EveryCallEndsExactlyOnceInTimeAndLeavesNothing) {
  const std::string again = "again: ENGRAM_TURMOIL_CALLS=" + std::to_string(calls_) +
                            " ENGRAM_TURMOIL_SEED=" + std::to_string(seed_) +
                            " build/bin/net_test --gtest_filter='TurmoilTest.*'";
  std::printf("%s\n", again.c_str());
  SCOPED_TRACE(again);
  ServerOptions options;
  options.concurrent_streams_max = 50;
  StartServer(options);
  options.port = server_->port();
  channel();
  constexpr uint64_t kBurst = 20;
  constexpr uint64_t kCallsPerServer = 5000;
  for (uint64_t begun = 0; begun < calls_; begun += kBurst) {
    RunOn(loop(), [&] {
      for (uint64_t i = 0; i < kBurst; ++i) Disturb();
    });
    ASSERT_TRUE(
        Eventually([&] { return RunOn(loop(), [&] { return begun_ - ended_ < kOpenMax; }); }));
    if (begun % kCallsPerServer == kCallsPerServer - kBurst) {
      server_.reset();
      StartServer(options);
    }
  }
  EXPECT_TRUE(Eventually([&] { return RunOn(loop(), [&] { return ended_ == begun_; }); }));
  RunOn(loop(), [&] {
    EXPECT_EQ(ended_twice_, 0);
    EXPECT_EQ(overdue_, 0) << "calls that went on for 50 ms after their deadline";
    PrintLateness();
    channel_->Close();
  });
  server_.reset();
  EXPECT_EQ(Open(&Counters::calls_begun, &Counters::calls_ended), 0);
  EXPECT_EQ(Open(&Counters::connections_accepted, &Counters::connections_closed), 0);
  EXPECT_EQ(Open(&Counters::streams_begun, &Counters::streams_ended), 0);
  EXPECT_GT(Count(&Counters::calls_begun), calls_ / 10);
}

}  // namespace
}  // namespace engram::net
