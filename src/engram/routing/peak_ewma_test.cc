#include "engram/routing/peak_ewma.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace engram::routing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1000)};

double Millis(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

void Answer(PeakEwma& latency, Duration took, TimePoint now) {
  latency.Begin();
  latency.End(took, now);
}

TEST(PeakEwma, JumpsToAPeakAtOnce) {
  PeakEwma latency{PeakEwmaOptions{}};
  for (int i = 0; i < 100; ++i) Answer(latency, milliseconds(1), kStart + milliseconds(10 * i));
  Answer(latency, milliseconds(80), kStart + seconds(1));
  EXPECT_NEAR(Millis(latency.Estimate(kStart + seconds(1))), 80, 0.1);
}

TEST(PeakEwma, ForgetsAPeakWithItsTimeConstant) {
  PeakEwma latency{PeakEwmaOptions{}};
  Answer(latency, milliseconds(100), kStart);
  for (int i = 1; i <= 1000; ++i) Answer(latency, milliseconds(1), kStart + milliseconds(10 * i));
  EXPECT_NEAR(Millis(latency.Estimate(kStart + seconds(10))), 1 + 99 / 2.718, 1);
  for (int i = 0; i <= 5000; ++i)
    Answer(latency, milliseconds(1), kStart + seconds(10) + milliseconds(10 * i));
  EXPECT_NEAR(Millis(latency.Estimate(kStart + seconds(60))), 1.25, 0.1);
}

TEST(PeakEwma, ANodeThatIsNotAskedIsForgiven) {
  PeakEwma latency{PeakEwmaOptions{}};
  Answer(latency, milliseconds(100), kStart);
  EXPECT_NEAR(Millis(latency.Estimate(kStart + seconds(10))), 100 / 2.718, 0.1);
  EXPECT_LT(latency.Estimate(kStart + seconds(120)), microseconds(1));
}

TEST(PeakEwma, CostGrowsWithTheCallsInFlight) {
  PeakEwma latency{PeakEwmaOptions{}};
  Answer(latency, milliseconds(2), kStart);
  EXPECT_NEAR(latency.Cost(kStart), 2e6, 1);
  for (int i = 0; i < 3; ++i) latency.Begin();
  EXPECT_EQ(latency.pending(), 3);
  EXPECT_NEAR(latency.Cost(kStart), 8e6, 1);
  latency.Abandon();
  EXPECT_NEAR(latency.Cost(kStart), 6e6, 1);
  EXPECT_EQ(latency.Estimate(kStart), milliseconds(2)) << "an abandoned call says nothing";
}

TEST(PeakEwma, AnUnknownNodeGetsOneCallAndNoFlood) {
  PeakEwma known{PeakEwmaOptions{}};
  Answer(known, milliseconds(50), kStart);
  PeakEwma unknown{PeakEwmaOptions{}};
  EXPECT_EQ(unknown.Estimate(kStart), Duration{});
  EXPECT_LT(unknown.Cost(kStart), known.Cost(kStart));
  unknown.Begin();
  EXPECT_GT(unknown.Cost(kStart), known.Cost(kStart));
}

TEST(PeakEwma, AReportFromJustBeforeStillRaisesThePeak) {
  PeakEwma latency{PeakEwmaOptions{}};
  Answer(latency, milliseconds(5), kStart);
  Answer(latency, milliseconds(1), kStart - seconds(1));
  EXPECT_NEAR(Millis(latency.Estimate(kStart)), 5, 0.01);
  Answer(latency, milliseconds(9), kStart - seconds(1));
  EXPECT_NEAR(Millis(latency.Estimate(kStart)), 9, 0.01);
}

TEST(PeakEwma, ManyThreadsLoseNoCallAndNoPeak) {
  PeakEwma latency{PeakEwmaOptions{}};
  std::vector<std::thread> threads;
  for (int t = 1; t <= 8; ++t) {
    threads.emplace_back([&latency, t] {
      for (int i = 0; i < 1000; ++i) Answer(latency, milliseconds(t), kStart);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(latency.pending(), 0);
  EXPECT_NEAR(Millis(latency.Estimate(kStart)), 8, 0.01);
}

}  // namespace
}  // namespace engram::routing
