#include "engram/server/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <future>
#include <string>
#include <utility>

#include "engram/base/error.h"
#include "engram/server/node_context.h"

namespace engram::server {
namespace {

using std::chrono::milliseconds;

// One write at a time and two that wait; writes end when the test says so.
class AdmissionTest : public ::testing::Test {
 protected:
  AdmissionTest() { loops_.Start(); }
  ~AdmissionTest() override { loops_.Stop(); }

  static NodeConfig OneAtATime() {
    NodeConfig config;
    config.writes_max = 1;
    config.queue_max = 2;
    return config;
  }

  void OnLoop(const std::function<void()>& action) {
    std::promise<void> done;
    loops_.at(0).Post([&] {
      action();
      done.set_value();
    });
    done.get_future().wait();
  }
  // Its deadline.
  TimePoint Ask(Duration time_left) {
    TimePoint deadline;
    OnLoop([&] {
      deadline = Now() + time_left;
      admission_.Pass(
          loops_.at(0), {routing::Operation::kStore, SpaceId("s"), deadline},
          [this](Admission::Done done) { running_.push_back(std::move(done)); },
          [this](const absl::StatusOr<std::string>& reply) {
            codes_.push_back(CodeOf(reply));
            if (!reply.ok()) pauses_.push_back(DetailOf(reply.status()).retry_after);
          });
    });
    return deadline;
  }
  void EndOldest() {
    OnLoop([this] {
      Admission::Done done = std::move(running_.front());
      running_.pop_front();
      done(std::string());
    });
  }
  Admission::Counts Writes() const { return admission_.CountsOf(Admission::Kind::kWrites); }
  static ErrorCode CodeOf(const absl::StatusOr<std::string>& reply) {
    return engram::CodeOf(reply.status());
  }

  const NodeConfig config_ = OneAtATime();
  net::EventLoopGroup loops_{1};
  Admission admission_{config_, loops_};
  std::deque<Admission::Done> running_;
  std::vector<ErrorCode> codes_;
  std::vector<Duration> pauses_;  // of those who were shed
};

TEST_F(AdmissionTest, CountsWhoRunsWhoWaitsAndWhoIsTurnedAwayAndWhy) {
  using Shed = std::array<uint64_t, 3>;
  const Duration long_time = std::chrono::hours(1);
  Ask(long_time);
  Ask(-milliseconds(1));
  EXPECT_EQ(Writes().shed, (Shed{0, 1, 0})) << "too late";
  const TimePoint expires = Ask(milliseconds(20));
  Ask(long_time);
  EXPECT_EQ(Writes().running, 1);
  EXPECT_EQ(Writes().waiting, 2);
  Ask(long_time);
  EXPECT_EQ(Writes().shed, (Shed{1, 1, 0})) << "the queue is full";
  while (Now() <= expires) {
  }
  EndOldest();
  EXPECT_EQ(Writes().shed, (Shed{1, 1, 1})) << "it expired";
  EXPECT_EQ(Writes().running, 1);
  EXPECT_EQ(Writes().waiting, 0);
  EndOldest();
  EXPECT_EQ(Writes().running, 0);
  EXPECT_EQ(admission_.CountsOf(Admission::Kind::kRecalls).shed, Shed{});
  constexpr ErrorCode kShed = ErrorCode::kOverloaded;
  constexpr ErrorCode kServed = ErrorCode::kUnspecified;
  EXPECT_EQ(codes_, (std::vector{kShed, kShed, kServed, kShed, kServed}));
  // A breaker would count an overload without a time against the node.
  EXPECT_THAT(pauses_, ::testing::Each(::testing::Gt(Duration::zero())));
}

}  // namespace
}  // namespace engram::server
