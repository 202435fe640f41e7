#include "engram/routing/circuit_breaker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

namespace engram::routing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = CircuitBreaker::State;
using Ticket = CircuitBreaker::Ticket;

const TimePoint kStart{seconds(1000)};

// A breaker with the default options, and a random source.
struct Breaker {
  Ticket Take(TimePoint now) {
    std::optional<Ticket> ticket = breaker.Admit(now);
    EXPECT_TRUE(ticket.has_value());
    return ticket.value_or(Ticket{});
  }
  void Fail(TimePoint now) { breaker.OnFailure(Take(now), now, random); }
  void Succeed(TimePoint now) { breaker.OnSuccess(Take(now), now); }
  void Open(TimePoint now) {
    for (int i = 0; i < 5; ++i) Fail(now);
    EXPECT_EQ(breaker.state(now), State::kOpen);
  }

  std::mt19937_64 random{1};
  CircuitBreaker breaker{BreakerOptions{}};
};

TEST(CircuitBreaker, OpensAfterThreshold) {
  Breaker b;
  for (int i = 0; i < 4; ++i) b.Fail(kStart);
  EXPECT_EQ(b.breaker.state(kStart), State::kClosed);
  b.Fail(kStart);
  EXPECT_EQ(b.breaker.state(kStart), State::kOpen);
  EXPECT_FALSE(b.breaker.Admit(kStart).has_value());
  EXPECT_FALSE(b.breaker.WouldAdmit(kStart));
  EXPECT_EQ(b.breaker.retry_at(), kStart + seconds(30));
  EXPECT_EQ(b.breaker.openings(), 1u);
}

TEST(CircuitBreaker, OnlyFailuresInARowCount) {
  Breaker b;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 4; ++i) b.Fail(kStart);
    b.Succeed(kStart);
  }
  EXPECT_EQ(b.breaker.state(kStart), State::kClosed);
  EXPECT_EQ(b.breaker.openings(), 0u);
}

TEST(CircuitBreaker, HalfOpenAfterTimeout) {
  Breaker b;
  b.Open(kStart);
  const TimePoint due = kStart + seconds(30);
  EXPECT_FALSE(b.breaker.WouldAdmit(due - milliseconds(1)));
  EXPECT_FALSE(b.breaker.Admit(due - milliseconds(1)).has_value());
  EXPECT_EQ(b.breaker.state(due), State::kHalfOpen);
  EXPECT_TRUE(b.breaker.WouldAdmit(due));
  EXPECT_EQ(b.breaker.probes(), 0u) << "asking takes nothing";

  EXPECT_TRUE(b.Take(due).probe);
  EXPECT_FALSE(b.breaker.Admit(due).has_value()) << "one probe at a time";
  EXPECT_FALSE(b.breaker.WouldAdmit(due));
  EXPECT_EQ(b.breaker.state(due), State::kHalfOpen);
  EXPECT_EQ(b.breaker.probes(), 1u);
}

TEST(CircuitBreaker, ClosesWhenTheProbeSucceeds) {
  Breaker b;
  b.Open(kStart);
  b.Succeed(kStart + seconds(30));
  EXPECT_EQ(b.breaker.state(kStart + seconds(30)), State::kClosed);
  EXPECT_FALSE(b.Take(kStart + seconds(30)).probe);
  EXPECT_LT(b.breaker.retry_at(), kStart);
}

TEST(CircuitBreaker, OpensAgainWhenTheProbeFails) {
  Breaker b;
  b.Open(kStart);
  b.Fail(kStart + seconds(30));
  EXPECT_EQ(b.breaker.state(kStart + seconds(31)), State::kOpen);
  EXPECT_FALSE(b.breaker.Admit(kStart + seconds(31)).has_value());
  EXPECT_EQ(b.breaker.openings(), 2u);
}

TEST(CircuitBreaker, NeedsAllFailuresAgainOnceItHasClosed) {
  Breaker b;
  b.Open(kStart);
  const TimePoint later = kStart + seconds(30);
  b.Succeed(later);
  for (int i = 0; i < 4; ++i) b.Fail(later);
  EXPECT_EQ(b.breaker.state(later), State::kClosed);
}

TEST(CircuitBreaker, IgnoresResultsOfCallsFromBeforeItOpened) {
  Breaker b;
  const Ticket late = b.Take(kStart);
  const Ticket later = b.Take(kStart);
  b.Open(kStart);
  b.breaker.OnSuccess(late, kStart);
  EXPECT_EQ(b.breaker.state(kStart), State::kOpen);

  const TimePoint due = kStart + seconds(30);
  const Ticket probe = b.Take(due);
  b.breaker.OnFailure(later, due, b.random);
  EXPECT_EQ(b.breaker.openings(), 1u) << "only the probe decides";
  b.breaker.OnSuccess(probe, due);
  EXPECT_EQ(b.breaker.state(due), State::kClosed);
}

TEST(CircuitBreaker, IgnoresFailuresOfCallsFromBeforeItClosed) {
  Breaker b;
  std::vector<Ticket> late;
  for (int i = 0; i < 10; ++i) late.push_back(b.Take(kStart));
  b.Open(kStart);
  const TimePoint now = kStart + seconds(30);
  b.Succeed(now);
  for (Ticket ticket : late) b.breaker.OnFailure(ticket, now, b.random);
  EXPECT_EQ(b.breaker.state(now), State::kClosed);
}

// How long the opening lasts that a failing probe begins.
Duration Reopen(Breaker& b) {
  const TimePoint due = b.breaker.retry_at();
  b.Fail(due);
  return b.breaker.retry_at() - due;
}

TEST(CircuitBreaker, RepeatOpeningsGrowWithinTheirJitterBand) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Breaker b;
    b.random.seed(seed);
    b.Open(kStart);
    for (int full : {60, 120, 240, 300, 300, 300}) {
      const Duration length = Reopen(b);
      EXPECT_GE(length, seconds(full) * 3 / 4);
      EXPECT_LE(length, seconds(full));
    }
  }
}

TEST(CircuitBreaker, JitterUsesItsWholeBand) {
  Duration least = Duration::max();
  Duration most{};
  Duration sum{};
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Breaker b;
    b.random.seed(seed);
    b.Open(kStart);
    const Duration length = Reopen(b);
    least = std::min(least, length);
    most = std::max(most, length);
    sum += length;
  }
  EXPECT_LT(least, milliseconds(45'100));
  EXPECT_GT(most, milliseconds(59'900));
  EXPECT_NEAR(std::chrono::duration<double>(sum).count() / 1000, 52.5, 0.5);
}

TEST(CircuitBreaker, OneSuccessEndsTheGrowth) {
  Breaker b;
  b.Open(kStart);
  for (int i = 0; i < 4; ++i) Reopen(b);
  const TimePoint well = b.breaker.retry_at();
  b.Succeed(well);
  b.Open(well);
  EXPECT_EQ(b.breaker.retry_at() - well, seconds(30));
}

TEST(CircuitBreaker, AProbeWithoutVerdictGoesToTheNextCaller) {
  Breaker b;
  b.Open(kStart);
  const TimePoint due = kStart + seconds(30);
  const Ticket cancelled = b.Take(due);
  b.breaker.OnNoVerdict(cancelled);
  EXPECT_EQ(b.breaker.state(due), State::kHalfOpen);
  const Ticket next = b.Take(due);
  EXPECT_TRUE(next.probe);
  b.breaker.OnSuccess(cancelled, due);
  EXPECT_EQ(b.breaker.state(due), State::kHalfOpen) << "its word was given back";
  b.breaker.OnSuccess(next, due);
  EXPECT_EQ(b.breaker.state(due), State::kClosed);
}

TEST(CircuitBreaker, NeverOpensWithoutAVerdict) {
  Breaker b;
  for (int i = 0; i < 1000; ++i) b.breaker.OnNoVerdict(b.Take(kStart));
  EXPECT_EQ(b.breaker.state(kStart), State::kClosed);
  for (int i = 0; i < 4; ++i) b.Fail(kStart);
  b.breaker.OnNoVerdict(b.Take(kStart));
  b.Fail(kStart);
  EXPECT_EQ(b.breaker.state(kStart), State::kOpen) << "nor does it speak for the node";
}

TEST(CircuitBreaker, AProbeThatNeverReportsIsReplaced) {
  Breaker b;
  b.Open(kStart);
  const TimePoint due = kStart + seconds(30);
  const Ticket lost = b.Take(due);
  EXPECT_FALSE(b.breaker.Admit(due + milliseconds(29'999)).has_value());
  const TimePoint later = due + seconds(30);
  const Ticket second = b.Take(later);
  EXPECT_TRUE(second.probe);
  EXPECT_FALSE(b.breaker.Admit(later).has_value());
  b.breaker.OnFailure(lost, later, b.random);
  EXPECT_EQ(b.breaker.state(later), State::kHalfOpen) << "the lost one no longer counts";
  b.breaker.OnSuccess(second, later);
  EXPECT_EQ(b.breaker.state(later), State::kClosed);
}

TEST(CircuitBreaker, ANewIncarnationIsProbedAtOnce) {
  Breaker b;
  b.Open(kStart);
  const TimePoint now = kStart + seconds(3);
  b.breaker.OnNewIncarnation(now);
  EXPECT_EQ(b.breaker.state(now), State::kHalfOpen);
  EXPECT_TRUE(b.Take(now).probe);
  EXPECT_FALSE(b.breaker.Admit(now).has_value());
}

TEST(CircuitBreaker, AProbeOfTheOldIncarnationNoLongerCounts) {
  Breaker b;
  b.Open(kStart);
  const TimePoint due = kStart + seconds(30);
  const Ticket old = b.Take(due);
  b.breaker.OnNewIncarnation(due);
  const Ticket fresh = b.Take(due);
  EXPECT_TRUE(fresh.probe);
  b.breaker.OnFailure(old, due, b.random);
  EXPECT_EQ(b.breaker.state(due), State::kHalfOpen);
  b.breaker.OnSuccess(fresh, due);
  EXPECT_EQ(b.breaker.state(due), State::kClosed);
}

TEST(CircuitBreaker, ANewIncarnationStartsWithoutTheOldOnesFailures) {
  Breaker b;
  for (int i = 0; i < 4; ++i) b.Fail(kStart);
  const Ticket old = b.Take(kStart);
  b.breaker.OnNewIncarnation(kStart);
  b.breaker.OnFailure(old, kStart, b.random);
  b.Fail(kStart);
  EXPECT_EQ(b.breaker.state(kStart), State::kClosed);
}

TEST(CircuitBreaker, TheLastHolderGetsOneProbeAtATimeAndOneASecond) {
  Breaker b;
  b.Open(kStart);
  EXPECT_FALSE(b.breaker.AdmitLast(kStart + milliseconds(999)).has_value());
  const TimePoint first = kStart + seconds(1);
  std::optional<Ticket> probe = b.breaker.AdmitLast(first);
  ASSERT_TRUE(probe.has_value());
  EXPECT_TRUE(probe->probe);
  EXPECT_FALSE(b.breaker.AdmitLast(first + seconds(5)).has_value()) << "one is in flight";
  b.breaker.OnFailure(*probe, first + milliseconds(10), b.random);
  EXPECT_FALSE(b.breaker.AdmitLast(first + milliseconds(999)).has_value());
  EXPECT_TRUE(b.breaker.AdmitLast(first + seconds(1)).has_value());
}

TEST(CircuitBreaker, AProbeOfTheLastHolderDoesNotLengthenTheOpening) {
  Breaker b;
  b.Open(kStart);
  for (int second = 1; second < 30; ++second) {
    const TimePoint now = kStart + seconds(second);
    std::optional<Ticket> probe = b.breaker.AdmitLast(now);
    ASSERT_TRUE(probe.has_value()) << second;
    b.breaker.OnFailure(*probe, now, b.random);
    EXPECT_EQ(b.breaker.state(now), State::kOpen);
    EXPECT_FALSE(b.breaker.Admit(now).has_value()) << "other callers stay away";
  }
  EXPECT_EQ(b.breaker.retry_at(), kStart + seconds(30));
  EXPECT_EQ(b.breaker.openings(), 1u);
}

TEST(CircuitBreaker, AProbeOfTheLastHolderThatSucceedsCloses) {
  Breaker b;
  b.Open(kStart);
  const TimePoint now = kStart + seconds(2);
  b.breaker.OnSuccess(*b.breaker.AdmitLast(now), now);
  EXPECT_EQ(b.breaker.state(now), State::kClosed);
  EXPECT_FALSE(b.breaker.AdmitLast(now)->probe) << "as Admit, when closed";
}

TEST(CircuitBreaker, AProbeOfTheLastHolderGivenBackLeavesTheOpeningAsItWas) {
  Breaker b;
  b.Open(kStart);
  const TimePoint now = kStart + seconds(2);
  b.breaker.OnNoVerdict(*b.breaker.AdmitLast(now));
  EXPECT_EQ(b.breaker.state(now), State::kOpen);
  EXPECT_FALSE(b.breaker.Admit(now).has_value());
  EXPECT_FALSE(b.breaker.AdmitLast(now).has_value()) << "at most one a second";
  EXPECT_TRUE(b.breaker.AdmitLast(now + seconds(1)).has_value());
}

TEST(CircuitBreaker, AProbeOfTheLastHolderThatIsDueCountsAsAnyOther) {
  Breaker b;
  b.Open(kStart);
  const TimePoint due = kStart + seconds(30);
  b.breaker.OnFailure(*b.breaker.AdmitLast(due), due, b.random);
  EXPECT_EQ(b.breaker.openings(), 2u);
  EXPECT_GE(b.breaker.retry_at(), due + seconds(45));
}

// 64 threads ask at the same moment of virtual time, round after round.
class Crowd {
 public:
  // How many of them `admit` let through.
  template <class Admit>
  static int Ask(Admit admit) {
    std::atomic<int> admitted{0};
    std::barrier together(kThreads);
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        together.arrive_and_wait();
        if (admit()) admitted.fetch_add(1);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return admitted.load();
  }

 private:
  static constexpr int kThreads = 64;
};

TEST(CircuitBreaker, SixtyFourThreadsGetOneProbePerHalfOpenPeriod) {
  Breaker b;
  b.Open(kStart);
  for (uint64_t period = 1; period <= 20; ++period) {
    const TimePoint due = b.breaker.retry_at();
    std::atomic<uint32_t> generation{0};
    EXPECT_EQ(Crowd::Ask([&] {
                std::optional<Ticket> ticket = b.breaker.Admit(due);
                if (ticket.has_value()) generation = ticket->generation;
                return ticket.has_value();
              }),
              1);
    EXPECT_EQ(b.breaker.probes(), period);
    b.breaker.OnFailure({generation, true}, due, b.random);
  }
}

TEST(CircuitBreaker, SixtyFourThreadsGetOneProbeOfTheLastHolder) {
  Breaker b;
  b.Open(kStart);
  for (int second = 1; second <= 20; ++second) {
    const TimePoint now = kStart + seconds(second);
    std::atomic<uint32_t> generation{0};
    EXPECT_EQ(Crowd::Ask([&] {
                std::optional<Ticket> ticket = b.breaker.AdmitLast(now);
                if (ticket.has_value()) generation = ticket->generation;
                return ticket.has_value();
              }),
              1);
    b.breaker.OnFailure({generation, true}, now, b.random);
  }
}

TEST(CircuitBreaker, FailuresOfManyThreadsOpenItOnce) {
  Breaker b;
  Crowd::Ask([&] {
    std::mt19937_64 random(1);
    for (int i = 0; i < 100; ++i) {
      std::optional<Ticket> ticket = b.breaker.Admit(kStart);
      if (ticket.has_value()) b.breaker.OnFailure(*ticket, kStart, random);
    }
    return true;
  });
  EXPECT_EQ(b.breaker.state(kStart), State::kOpen);
  EXPECT_EQ(b.breaker.openings(), 1u);
}

}  // namespace
}  // namespace engram::routing
