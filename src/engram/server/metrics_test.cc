#include "engram/server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <regex>
#include <set>
#include <string>

namespace engram::server {
namespace {

using routing::Strategy;
using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr size_t kPrimary = static_cast<size_t>(Strategy::kPrimary);

TEST(DurationHistogram, PutsATimeIntoTheFirstBucketThatReachesIt) {
  EXPECT_EQ(DurationHistogram::BucketOf(nanoseconds(0)), 0u);
  EXPECT_EQ(DurationHistogram::BucketOf(microseconds(1)), 0u);
  EXPECT_EQ(DurationHistogram::BucketOf(nanoseconds(1'001)), 1u);
  EXPECT_EQ(DurationHistogram::BucketOf(microseconds(2)), 1u);
  EXPECT_EQ(DurationHistogram::BucketOf(nanoseconds(2'001)), 2u);
  EXPECT_EQ(DurationHistogram::BucketOf(seconds(16)), 24u);
  EXPECT_EQ(DurationHistogram::BucketOf(seconds(17)), 25u);
  EXPECT_EQ(DurationHistogram::BucketOf(Duration::max()), 25u);
  for (size_t i = 0; i + 1 < DurationHistogram::kBuckets; ++i) {
    const auto bound = microseconds(int64_t{1} << i);
    EXPECT_DOUBLE_EQ(DurationHistogram::UpperBound(i),
                     std::chrono::duration<double>(bound).count());
    EXPECT_EQ(DurationHistogram::BucketOf(bound), i);
    EXPECT_EQ(DurationHistogram::BucketOf(bound + nanoseconds(1)), i + 1);
  }
  EXPECT_EQ(DurationHistogram::UpperBound(25), std::numeric_limits<double>::infinity());
}

TEST(RoutingMetrics, SumsUpOverTheLoops) {
  RoutingMetrics metrics(2);
  RoutedSample sample;
  sample.strategy = Strategy::kPrimary;
  sample.took = microseconds(3);
  metrics.Record(0, sample);
  metrics.Record(1, sample);
  sample.took = microseconds(5);
  metrics.Record(1, sample);
  const RoutingMetrics::Durations sum = metrics.DurationsOf(kPrimary, ErrorCode::kUnspecified);
  EXPECT_EQ(sum.count(), 3u);
  EXPECT_EQ(sum.buckets[2], 2u);
  EXPECT_EQ(sum.buckets[3], 1u);
  EXPECT_NEAR(sum.seconds, 11e-6, 1e-12);
}

TEST(RoutingMetrics, TellsStrategiesAndOutcomesApart) {
  RoutingMetrics metrics(1);
  metrics.Record(0, {.strategy = Strategy::kLocal, .took = microseconds(1)});
  metrics.Record(0, {.strategy = Strategy::kPrimary,
                     .outcome = ErrorCode::kUndetermined,
                     .took = microseconds(1)});
  EXPECT_EQ(
      metrics.DurationsOf(static_cast<size_t>(Strategy::kLocal), ErrorCode::kUnspecified).count(),
      1u);
  EXPECT_EQ(metrics.DurationsOf(kPrimary, ErrorCode::kUndetermined).count(), 1u);
  EXPECT_EQ(metrics.DurationsOf(kPrimary, ErrorCode::kUnspecified).count(), 0u);
}

TEST(RoutingMetrics, AddsEachFieldOfASampleToItsOwnMetric) {
  RoutingMetrics metrics(1);
  RoutedSample sample;
  sample.strategy = Strategy::kPrimary;
  int n = 0;
  for (const RoutedCount& count : kRoutedCounts) sample.*count.field = ++n;
  metrics.Record(0, sample);
  for (size_t i = 0; i < kRoutedCounts.size(); ++i) EXPECT_EQ(metrics.CountOf(i), i + 1);
}

TEST(RoutingMetrics, CountsStaleRequestsAndRetriesByReason) {
  RoutingMetrics metrics(1);
  const ErrorCode reasons[] = {ErrorCode::kOverloaded, ErrorCode::kConnectionFailed,
                               ErrorCode::kOverloaded};
  metrics.Record(0, {.strategy = Strategy::kPrimary, .stale = true, .retries = reasons});
  metrics.Record(0, {.strategy = Strategy::kPrimary});
  EXPECT_EQ(metrics.stale(), 1u);
  EXPECT_EQ(metrics.RetriesFor(ErrorCode::kOverloaded), 2u);
  EXPECT_EQ(metrics.RetriesFor(ErrorCode::kConnectionFailed), 1u);
  EXPECT_EQ(metrics.RetriesFor(ErrorCode::kUndetermined), 0u);
}

TEST(RoutingMetrics, CountsWhatOtherNodesPassOnApart) {
  RoutingMetrics metrics(2);
  metrics.RecordPeer(1, ErrorCode::kWrongNode);
  metrics.RecordPeer(0, ErrorCode::kWrongNode);
  EXPECT_EQ(metrics.PeerRequests(ErrorCode::kWrongNode), 2u);
  EXPECT_EQ(metrics.PeerRequests(ErrorCode::kUnspecified), 0u);
}

// Prometheus' naming rules: units in the name, counters end in _total, others do not.
TEST(MetricNames, FollowPrometheusConventions) {
  std::set<std::string_view> seen;
  const std::regex name("(engram|process)(_[a-z0-9]+)+");
  for (const MetricInfo& info : MetricInfos()) {
    EXPECT_TRUE(seen.insert(info.name).second) << info.name;
    EXPECT_TRUE(std::regex_match(std::string(info.name), name)) << info.name;
    EXPECT_EQ(info.name.ends_with("_total"), info.type == MetricType::kCounter) << info.name;
    EXPECT_TRUE(info.help.ends_with(".")) << info.name;
  }
}

}  // namespace
}  // namespace engram::server
