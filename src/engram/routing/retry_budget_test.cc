#include "engram/routing/retry_budget.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace engram::routing {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1000)};
constexpr int kTries = 3;

struct Load {
  double per_second;
  int healthy_seconds = 0;  // before the outage: deposits without withdrawals
  int outage_seconds = 60;
};

// Requests that reach a node / requests that chose it, all of which fail, in an outage.
double Amplification(const Load& load) {
  RetryBudget budget{RetryBudgetOptions{}};
  const auto gap =
      duration_cast<Duration>(nanoseconds(static_cast<int64_t>(1e9 / load.per_second)));
  TimePoint now = kStart;
  for (; now < kStart + seconds(load.healthy_seconds); now += gap) budget.OnRequest(now);
  const TimePoint end = now + seconds(load.outage_seconds);
  double asked = 0;
  double sent = 0;
  for (; now < end; now += gap) {
    ++asked;
    ++sent;
    budget.OnRequest(now);
    for (int n = 1; n < kTries && budget.TryWithdraw(now); ++n) ++sent;
  }
  return sent / asked;
}

TEST(RetryBudget, AnOutageOfABusyNodeIsAmplifiedByATenthAtMost) {
  for (double rate : {20.0, 50.0, 100.0, 300.0, 1000.0, 10'000.0, 100'000.0}) {
    const double amplification = Amplification({.per_second = rate, .outage_seconds = 30});
    EXPECT_LE(amplification, 1.1) << rate;
    EXPECT_GE(amplification, 1.03) << rate << ": a budget that allows nothing is none";
  }
}

TEST(RetryBudget, WhatAGoodTimeHasSavedDoesNotPayForAStorm) {
  for (double rate : {100.0, 300.0, 1000.0, 10'000.0}) {
    EXPECT_LE(Amplification({.per_second = rate, .healthy_seconds = 3600, .outage_seconds = 12}),
              1.1)
        << rate;
  }
}

// What the floor gives where there is next to no load: 1 + 1/r, and never more than the three
// tries.
TEST(RetryBudget, TheFloorServesLowRates) {
  const Load load{.per_second = 1, .outage_seconds = 600};
  EXPECT_NEAR(Amplification(load), 2.0, 0.05);
  EXPECT_NEAR(Amplification({.per_second = 5, .outage_seconds = 600}), 1.2, 0.02);
  EXPECT_NEAR(Amplification({.per_second = 0.1, .outage_seconds = 600}), 3.0, 0.05);
  EXPECT_LE(Amplification({.per_second = 10, .outage_seconds = 600}), 1.11);
}

TEST(RetryBudget, StartsWithThreeTries) {
  RetryBudget budget{RetryBudgetOptions{}};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.TryWithdraw(kStart)) << i;
  EXPECT_FALSE(budget.TryWithdraw(kStart));
  EXPECT_LT(budget.balance(kStart), 1);
}

TEST(RetryBudget, WithoutAFloorOnlyRequestsPay) {
  RetryBudget budget{{.ratio = 0.1, .floor_per_second = 0}};
  EXPECT_FALSE(budget.TryWithdraw(kStart));
  for (int i = 0; i < 12; ++i) budget.OnRequest(kStart);
  EXPECT_NEAR(budget.balance(kStart), 1.08, 1e-9);
  EXPECT_TRUE(budget.TryWithdraw(kStart));
  EXPECT_FALSE(budget.TryWithdraw(kStart));
  EXPECT_FALSE(budget.TryWithdraw(kStart + seconds(3600)));
}

TEST(RetryBudget, DepositsExpire) {
  RetryBudget budget{{.floor_per_second = 0}};
  for (int i = 0; i < 1000; ++i) budget.OnRequest(kStart);
  EXPECT_NEAR(budget.balance(kStart), 90, 1e-9);
  EXPECT_NEAR(budget.balance(kStart + seconds(1)), 90 / 2.718, 6);
  EXPECT_LT(budget.balance(kStart + seconds(10)), 0.01);
}

TEST(RetryBudget, HoldsNoMoreThanTheBurst) {
  RetryBudget budget{{.burst = 5}};
  for (int i = 0; i < 1'000'000; ++i) budget.OnRequest(kStart);
  EXPECT_EQ(budget.balance(kStart), 5);
}

TEST(RetryBudget, AClockReadingFromJustBeforeChangesNothing) {
  RetryBudget budget{RetryBudgetOptions{}};
  for (int i = 0; i < 1000; ++i) budget.OnRequest(kStart);
  EXPECT_EQ(budget.balance(kStart - seconds(1)), budget.balance(kStart));
  budget.OnRequest(kStart - seconds(1));
  EXPECT_NEAR(budget.balance(kStart), 90.09, 1e-9);
}

TEST(RetryBudget, ThreadsTogetherTakeNoMoreThanThereIs) {
  RetryBudget budget{{.floor_per_second = 0}};
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        budget.OnRequest(kStart);
        if (budget.TryWithdraw(kStart)) taken.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // 800 requests deposit 72 tokens, of which each withdrawal takes one.
  EXPECT_NEAR(taken.load() + budget.balance(kStart), 72, 1e-9);
}

}  // namespace
}  // namespace engram::routing
