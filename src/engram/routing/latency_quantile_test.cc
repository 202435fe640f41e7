#include "engram/routing/latency_quantile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

namespace engram::routing {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1000)};

TEST(LatencyQuantile, SaysNothingOfTooFewAnswers) {
  LatencyQuantile quantile;
  for (uint32_t i = 0; i + 1 < LatencyQuantile::kSamplesMin; ++i) {
    quantile.Observe(milliseconds(1), kStart);
    EXPECT_EQ(quantile.P95(), std::nullopt);
  }
  quantile.Observe(milliseconds(1), kStart);
  EXPECT_TRUE(quantile.P95().has_value());
}

TEST(LatencyQuantile, OneSlowAnswerInTwentyIsBeyondIt) {
  LatencyQuantile quantile;
  for (int i = 0; i < 95; ++i) quantile.Observe(milliseconds(1), kStart);
  for (int i = 0; i < 5; ++i) quantile.Observe(seconds(1), kStart);
  EXPECT_LT(quantile.P95(), milliseconds(2));
  quantile.Observe(seconds(1), kStart);
  EXPECT_GT(quantile.P95(), milliseconds(900));
}

// Against the exact percentile, over the whole range of latencies.
TEST(LatencyQuantile, IsAtMostAnEighthAboveTheTruth) {
  std::mt19937_64 random(1);
  for (double median_us : {3.0, 50.0, 700.0, 20'000.0, 900'000.0}) {
    std::lognormal_distribution<double> took_us(std::log(median_us), 0.7);
    LatencyQuantile quantile;
    std::vector<Duration> all;
    for (int i = 0; i < 10'000; ++i) {
      all.emplace_back(static_cast<int64_t>(took_us(random) * 1000));
      quantile.Observe(all.back(), kStart);
    }
    std::nth_element(all.begin(), all.begin() + 9499, all.end());
    EXPECT_GE(*quantile.P95(), all[9499]) << median_us;
    EXPECT_LE(*quantile.P95(), all[9499] * 9 / 8) << median_us;
  }
}

TEST(LatencyQuantile, TakesWhatIsOutOfItsRange) {
  LatencyQuantile fast;
  LatencyQuantile slow;
  for (int i = 0; i < 20; ++i) {
    fast.Observe(nanoseconds(i - 10), kStart);
    slow.Observe(hours(1), kStart);
  }
  EXPECT_LE(fast.P95(), microseconds(2));
  EXPECT_GE(slow.P95(), seconds(60));
}

TEST(LatencyQuantile, ForgetsWhatIsLongPast) {
  LatencyQuantile quantile;
  for (int i = 0; i < 1000; ++i) quantile.Observe(seconds(1), kStart);
  TimePoint now = kStart;
  for (int i = 0; i < 2000; ++i) quantile.Observe(milliseconds(1), now += milliseconds(60));
  EXPECT_LT(quantile.P95(), milliseconds(2)) << "after twelve half-lives";
}

TEST(LatencyQuantile, ForgetsAllAfterALongPause) {
  LatencyQuantile quantile;
  for (int i = 0; i < 1000; ++i) quantile.Observe(seconds(1), kStart);
  quantile.Observe(milliseconds(1), kStart + hours(1));
  EXPECT_EQ(quantile.P95(), std::nullopt);
}

TEST(LatencyQuantile, ManyThreadsMayObserveWhileItForgets) {
  LatencyQuantile quantile;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&quantile] {
      for (int i = 0; i < 2000; ++i) {
        quantile.Observe(milliseconds(1), kStart + milliseconds(50 * i));
        std::optional<Duration> p95 = quantile.P95();
        EXPECT_LT(p95.value_or(Duration{}), milliseconds(2));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(quantile.P95().has_value());
}

}  // namespace
}  // namespace engram::routing
