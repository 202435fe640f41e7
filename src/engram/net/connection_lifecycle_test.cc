// What time does to a connection, in virtual time.
#include "engram/net/connection_lifecycle.h"

#include <gtest/gtest.h>

namespace engram::net::internal {
namespace {

using namespace std::chrono_literals;
using Action = ConnectionLifecycle::Action;
using Reason = ConnectionLifecycle::Reason;

class ConnectionLifecycleTest : public ::testing::Test {
 protected:
  // Runs the machine as its driver does, up to `until` after the beginning; the first thing due.
  ConnectionLifecycle::Due RunUntil(Duration until) {
    while (machine_->NextTick() <= kBegin + until) {
      now_ = std::max(now_, machine_->NextTick());
      const auto due = machine_->Tick(now_);
      if (due.action != Action::kNone) return due;
    }
    now_ = kBegin + until;
    return {};
  }
  Duration Elapsed() const { return now_ - kBegin; }
  ConnectionLifecycle& Begin(const LifecycleLimits& limits) {
    machine_.emplace(limits, kBegin);
    return *machine_;
  }
  void Expect(ConnectionLifecycle::Due due, Action action, Reason reason, Duration when) {
    EXPECT_EQ(due.action, action);
    EXPECT_EQ(due.reason, reason);
    EXPECT_EQ(Elapsed(), when);
  }

  static constexpr TimePoint kBegin = TimePoint() + 1000s;
  TimePoint now_ = kBegin;
  std::optional<ConnectionLifecycle> machine_;
};

TEST_F(ConnectionLifecycleTest, NothingIsEverDueWithoutLimits) {
  Begin({});
  EXPECT_EQ(machine_->NextTick(), kNever);
  machine_->OnFirstFrame();
  machine_->OnCallBegun();
  EXPECT_EQ(machine_->NextTick(), kNever);
}

TEST_F(ConnectionLifecycleTest, ClosesWhatNeverBegins) {
  Begin({.preface_timeout = 10s, .keepalive_interval = 3s});
  Expect(RunUntil(1h), Action::kClose, Reason::kUnfinished, 10s);
}

TEST_F(ConnectionLifecycleTest, DrainsWhatIsNeverUsed) {
  Begin({.first_request_timeout = 5min, .idle_max = 1min}).OnFirstFrame();
  Expect(RunUntil(1h), Action::kDrain, Reason::kUnused, 5min);
  EXPECT_EQ(RunUntil(1h).action, Action::kNone);
}

TEST_F(ConnectionLifecycleTest, PingsTheSilentAndClosesWhoDoesNotAnswer) {
  Begin({.keepalive_interval = 30s, .keepalive_timeout = 10s}).OnFirstFrame();
  Expect(RunUntil(1h), Action::kPing, Reason::kSilent, 30s);
  Expect(RunUntil(1h), Action::kClose, Reason::kSilent, 40s);
}

TEST_F(ConnectionLifecycleTest, AnyByteAnswersAPing) {
  Begin({.keepalive_interval = 30s, .keepalive_timeout = 10s}).OnFirstFrame();
  EXPECT_EQ(RunUntil(1h).action, Action::kPing);
  machine_->OnAlive(kBegin + 31s);
  Expect(RunUntil(1h), Action::kPing, Reason::kSilent, 61s);
}

TEST_F(ConnectionLifecycleTest, IdleCountsFromTheEndOfTheLastCall) {
  Begin({.idle_max = 60s}).OnFirstFrame();
  EXPECT_EQ(RunUntil(100s).action, Action::kNone);
  machine_->OnCallBegun();
  EXPECT_EQ(RunUntil(500s).action, Action::kNone);
  machine_->OnLastCallEnded(kBegin + 500s);
  Expect(RunUntil(1h), Action::kDrain, Reason::kIdle, 560s);
}

TEST_F(ConnectionLifecycleTest, CallsOnlyMoveTheNextTickAway) {
  Begin({.idle_max = 60s}).OnFirstFrame();
  machine_->OnCallBegun();
  const TimePoint first = machine_->NextTick();
  machine_->OnLastCallEnded(kBegin + 5s);
  EXPECT_GE(machine_->NextTick(), first);
  machine_->OnCallBegun();
  EXPECT_GE(machine_->NextTick(), first);
}

TEST_F(ConnectionLifecycleTest, TheOldAreDrainedAndAfterTheGraceClosed) {
  Begin({.age_max = 1h, .age_grace = 30s}).OnFirstFrame();
  machine_->OnCallBegun();
  Expect(RunUntil(2h), Action::kDrain, Reason::kOld, 1h);
  Expect(RunUntil(2h), Action::kClose, Reason::kOld, 1h + 30s);
}

TEST_F(ConnectionLifecycleTest, WithoutGraceTheOldMayFinish) {
  Begin({.age_max = 1h}).OnFirstFrame();
  machine_->OnCallBegun();
  EXPECT_EQ(RunUntil(2h).action, Action::kDrain);
  EXPECT_EQ(RunUntil(1000h).action, Action::kNone);
}

TEST_F(ConnectionLifecycleTest, KeepsPingingWhileItDrains) {
  Begin({.age_max = 1min, .keepalive_interval = 50s, .keepalive_timeout = 20s}).OnFirstFrame();
  EXPECT_EQ(RunUntil(1h).action, Action::kPing);
  machine_->OnAlive(kBegin + 51s);
  EXPECT_EQ(RunUntil(1h).reason, Reason::kOld);
  Expect(RunUntil(1h), Action::kPing, Reason::kSilent, 101s);
  Expect(RunUntil(1h), Action::kClose, Reason::kSilent, 121s);
}

}  // namespace
}  // namespace engram::net::internal
