#include "engram/routing/admission_gate.h"

#include <gtest/gtest.h>

#include <functional>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace engram::routing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Turn = AdmissionGate::Turn;

const TimePoint kStart{seconds(1000)};

// A waiter that writes down its name and what it was told.
AdmissionGate::Waiter Log(std::string& log, char name) {
  return [&log, name](Turn turn) {
    log += name;
    log += turn == Turn::kRun ? "+" : "-";
  };
}

TEST(AdmissionGate, RunsSoManyQueuesSoManyShedsTheRest) {
  AdmissionGate gate({.running_max = 2, .waiting_max = 2});
  std::string log;
  EXPECT_TRUE(gate.Enter());
  EXPECT_TRUE(gate.Enter());
  EXPECT_FALSE(gate.Enter());
  EXPECT_EQ(gate.Wait(kStart, kNever, Log(log, 'a')), std::nullopt);
  EXPECT_EQ(gate.Wait(kStart, kNever, Log(log, 'b')), std::nullopt);
  EXPECT_GE(gate.Wait(kStart, kNever, Log(log, 'c')), milliseconds(10));
  EXPECT_EQ(gate.running(), 2u);
  EXPECT_EQ(gate.waiting(), 2u);
  EXPECT_EQ(log, "");

  gate.Leave(kStart);
  EXPECT_EQ(log, "a+");
  gate.Leave(kStart);
  EXPECT_EQ(log, "a+b+") << "oldest first";
  gate.Leave(kStart);
  gate.Leave(kStart);
  EXPECT_EQ(gate.running(), 0u);
  EXPECT_TRUE(gate.Enter());
}

TEST(AdmissionGate, NobodyOvertakesThoseWhoWait) {
  AdmissionGate gate({.running_max = 1, .waiting_max = 2});
  std::string log;
  bool entered = true;
  ASSERT_TRUE(gate.Enter());
  ASSERT_EQ(gate.Wait(kStart, kNever, [&](Turn) { entered = gate.Enter(); }), std::nullopt);
  ASSERT_EQ(gate.Wait(kStart, kNever, Log(log, 'b')), std::nullopt);
  gate.Leave(kStart);
  EXPECT_FALSE(entered);
}

TEST(AdmissionGate, DropsWhoseDeadlineHasPassed) {
  AdmissionGate gate({.running_max = 1});
  std::string log;
  ASSERT_TRUE(gate.Enter());
  ASSERT_EQ(gate.Wait(kStart, kStart + seconds(1), Log(log, 'a')), std::nullopt);
  ASSERT_EQ(gate.Wait(kStart, kStart + seconds(3), Log(log, 'b')), std::nullopt);
  gate.Leave(kStart + seconds(2));
  EXPECT_EQ(log, "a-b+");
  EXPECT_EQ(gate.running(), 1u) << "who was dropped has no place";
  EXPECT_TRUE(gate.Wait(kStart + seconds(2), kStart + seconds(2), Log(log, 'c')).has_value());
}

TEST(AdmissionGate, WaitersThatEndAtOnceDoNotPileUpOnTheStack) {
  AdmissionGate gate({.running_max = 1, .waiting_max = 100'000});
  int ended = 0;
  ASSERT_TRUE(gate.Enter());
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(gate.Wait(kStart, kNever,
                        [&](Turn) {
                          ++ended;
                          gate.Leave(kStart);
                        }),
              std::nullopt);
  }
  gate.Leave(kStart);
  EXPECT_EQ(ended, 100'000);
  EXPECT_EQ(gate.running(), 0u);
}

// Works off one request every 10 ms for a second, with one waiting all the time.
void Learn(AdmissionGate& gate) {
  ASSERT_TRUE(gate.Enter());
  for (int i = 1; i <= 100; ++i) {
    const TimePoint now = kStart + milliseconds(10 * i);
    ASSERT_EQ(gate.Wait(now - milliseconds(10), kNever, [](Turn) {}), std::nullopt);
    gate.Leave(now);
  }
}

TEST(AdmissionGate, ShedsAtOnceWhoseTurnWouldComeTooLate) {
  AdmissionGate gate({.running_max = 1});
  Learn(gate);
  const TimePoint now = kStart + seconds(1);
  auto wait = [&](Duration time_left) { return gate.Wait(now, now + time_left, [](Turn) {}); };
  for (int i = 0; i < 9; ++i) ASSERT_EQ(wait(seconds(10)), std::nullopt);
  EXPECT_TRUE(wait(milliseconds(105)).has_value()) << "100 ms until its turn, 10 ms of its own";
  EXPECT_EQ(wait(milliseconds(115)), std::nullopt);
  while (!wait(seconds(10)).has_value()) ASSERT_LE(gate.waiting(), 50u);
  EXPECT_EQ(gate.waiting(), 50u) << "500 ms is the longest wait";
}

TEST(AdmissionGate, RetryAfterGrowsWithTheBacklog) {
  AdmissionGate gate({.running_max = 1});
  Learn(gate);
  const TimePoint now = kStart + seconds(1);
  Duration last{};
  for (int i = 1; i <= 50; ++i) {
    ASSERT_EQ(gate.Wait(now, kNever, [](Turn) {}), std::nullopt);
    const Duration retry_after = *gate.Wait(now, now, [](Turn) {});
    EXPECT_NEAR(static_cast<double>(retry_after / microseconds(1)), (i + 1) * 10'000, 1'000);
    EXPECT_GT(retry_after, last);
    last = retry_after;
  }
}

TEST(AdmissionGate, ABadMomentDoesNotCloseItForGood) {
  AdmissionGate gate({.running_max = 1});
  ASSERT_TRUE(gate.Enter());
  ASSERT_EQ(gate.Wait(kStart, kNever, [](Turn) {}), std::nullopt);
  TimePoint now = kStart + seconds(10);  // the disk stood still
  gate.Leave(now);
  ASSERT_EQ(gate.Wait(now, kNever, [](Turn) {}), std::nullopt);
  EXPECT_TRUE(gate.Wait(now, kNever, [](Turn) {}).has_value());
  for (int i = 0; i < 2'000; ++i) {
    gate.Leave(now += milliseconds(1));
    ASSERT_EQ(gate.Wait(now, kNever, [](Turn) {}), std::nullopt);
  }
  EXPECT_EQ(gate.Wait(now, kNever, [](Turn) {}), std::nullopt) << "it has recovered";
}

// A node in virtual time: `kServers` requests at once, each exponentially long, behind the gate.
class Overload {
 public:
  struct Result {
    double goodput = 0;  // answers in time, a second
    size_t waiting_most = 0;
    int expired = 0;
  };
  static constexpr size_t kServers = 4;
  static constexpr double kCapacity = kServers * 1000.0;  // requests a second

  explicit Overload(double rate) : arrival_(rate) {}

  Result Run(Duration length) {
    At(kStart, [this] { Arrive(); });
    while (!events_.empty() && events_.top().at < kStart + length) {
      Event event = events_.top();
      events_.pop();
      now_ = event.at;
      event.happen();
    }
    result_.goodput = in_time_ / std::chrono::duration<double>(length).count();
    return result_;
  }

 private:
  struct Event {
    TimePoint at;
    std::function<void()> happen;
    bool operator<(const Event& other) const { return at > other.at; }
  };

  void At(TimePoint at, std::function<void()> happen) { events_.push({at, std::move(happen)}); }
  Duration Draw(std::exponential_distribution<double>& seconds_long) {
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(seconds_long(random_)));
  }

  void Arrive() {
    At(now_ + Draw(arrival_), [this] { Arrive(); });
    const TimePoint deadline = now_ + milliseconds(100);
    if (gate_.Enter()) return Serve(deadline);
    std::optional<Duration> shed = gate_.Wait(now_, deadline, [this, deadline](Turn turn) {
      if (turn == Turn::kRun) return Serve(deadline);
      ++result_.expired;
    });
    (void)shed;  // a client that is sent away stays away
    result_.waiting_most = std::max(result_.waiting_most, gate_.waiting());
  }
  void Serve(TimePoint deadline) {
    At(now_ + Draw(service_), [this, deadline] {
      in_time_ += now_ <= deadline ? 1 : 0;
      gate_.Leave(now_);
    });
  }

  std::mt19937_64 random_{1};
  std::exponential_distribution<double> arrival_;
  std::exponential_distribution<double> service_{1000.0};
  AdmissionGate gate_{{.running_max = kServers, .waiting_max = 1'000}};
  std::priority_queue<Event> events_;
  TimePoint now_ = kStart;
  Result result_;
  double in_time_ = 0;
};

// The queue of 1,000 would be 250 ms long, and all who wait in it come too late after 100 ms.
TEST(AdmissionGate, GoodputStaysAtTenTimesTheLoad) {
  const double peak = Overload(Overload::kCapacity * 0.95).Run(seconds(30)).goodput;
  EXPECT_GT(peak, Overload::kCapacity * 0.9);
  for (double times : {1.0, 1.5, 2.0, 5.0, 10.0}) {
    const Overload::Result result = Overload(Overload::kCapacity * times).Run(seconds(30));
    EXPECT_GE(result.goodput, peak * 0.8) << times;
    EXPECT_LE(result.waiting_most, 1'000u) << times;
    RecordProperty("goodput_at_" + std::to_string(static_cast<int>(times * 10)),
                   std::to_string(result.goodput / peak));
  }
}

}  // namespace
}  // namespace engram::routing
