#include "engram/server/routing_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "engram/base/error.h"
#include "engram/storage/testing/captured_log.h"

namespace engram::server {
namespace {

using routing::AttemptRecord;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(100)};

TEST(LogLimiter, LetsTheFirstThroughAndThenOneASecond) {
  LogLimiter limiter;
  EXPECT_EQ(limiter.Admit(RoutingEvent::kFallback, "a", kStart), 0u);
  EXPECT_EQ(limiter.Admit(RoutingEvent::kFallback, "a", kStart), std::nullopt);
  EXPECT_EQ(limiter.Admit(RoutingEvent::kFallback, "a", kStart + milliseconds(999)), std::nullopt);
  EXPECT_EQ(limiter.Admit(RoutingEvent::kFallback, "a", kStart + seconds(1)), 2u);
  EXPECT_EQ(limiter.Admit(RoutingEvent::kFallback, "a", kStart + milliseconds(1'999)),
            std::nullopt);
  EXPECT_EQ(limiter.Admit(RoutingEvent::kFallback, "a", kStart + seconds(9)), 1u);
  EXPECT_EQ(limiter.Admit(RoutingEvent::kFallback, "a", kStart + seconds(10)), 0u);
}

TEST(LogLimiter, TellsKindsAndNodesApart) {
  LogLimiter limiter;
  EXPECT_TRUE(limiter.Admit(RoutingEvent::kFallback, "a", kStart).has_value());
  EXPECT_TRUE(limiter.Admit(RoutingEvent::kRedirect, "a", kStart).has_value());
  EXPECT_TRUE(limiter.Admit(RoutingEvent::kFallback, "b", kStart).has_value());
}

TEST(LogLimiter, AThousandASecondMakeOneLineASecond) {
  LogLimiter limiter;
  int lines = 0;
  uint64_t told = 0;
  for (int ms = 0; ms < 10'000; ++ms) {
    if (auto left_out = limiter.Admit(RoutingEvent::kRedirect, "a", kStart + milliseconds(ms))) {
      ++lines;
      told += 1 + *left_out;
    }
  }
  EXPECT_EQ(lines, 10);
  EXPECT_EQ(told, 9'001u);
}

class RoutingLogTest : public testing::Test {
 protected:
  static AttemptRecord Attempt(const char* node, const char* outcome, ErrorCode error) {
    return {node, outcome, "", MakeError(error, "an error"), {}};
  }

  storage::CapturedLog out_;
  LoggedBreakers logged_;
  RoutingLog log_{logged_};
};

TEST_F(RoutingLogTest, ARequestThatWentStraightIsNoNews) {
  const std::vector<AttemptRecord> attempts = {
      {"a", "failed", "primary", MakeError(ErrorCode::kNotFound, "no"), {}}};
  log_.Attempts(SpaceId("notes"), attempts, kStart);
  EXPECT_EQ(out_.text(), "");
}

TEST_F(RoutingLogTest, NamesNodeTargetSpaceAndError) {
  const std::vector<AttemptRecord> attempts = {Attempt("a", "redirect", ErrorCode::kWrongNode),
                                               Attempt("b", "failed", ErrorCode::kConnectionFailed),
                                               {"c", "ok", "fallback", absl::OkStatus(), {}}};
  log_.Attempts(SpaceId("notes"), attempts, kStart);
  EXPECT_EQ(out_.text(),
            "info event=redirect node=a to=b space=notes left_out=0\n"
            "warning event=fallback node=b to=c space=notes error=CONNECTION_FAILED left_out=0\n");
}

TEST_F(RoutingLogTest, ARepeatTryAtTheSameNodeIsNoFallback) {
  const std::vector<AttemptRecord> attempts = {Attempt("a", "failed", ErrorCode::kOverloaded),
                                               {"a", "ok", "tried again", absl::OkStatus(), {}}};
  log_.Attempts(SpaceId("notes"), attempts, kStart);
  EXPECT_EQ(out_.text(), "");
}

TEST_F(RoutingLogTest, SaysHowManyWereLeftOut) {
  const std::vector<AttemptRecord> attempts = {Attempt("a", "failed", ErrorCode::kConnectionFailed),
                                               {"b", "ok", "fallback", absl::OkStatus(), {}}};
  for (int ms : {0, 1, 2}) log_.Attempts(SpaceId("s"), attempts, kStart + milliseconds(ms));
  out_.Clear();
  log_.Attempts(SpaceId("s"), attempts, kStart + seconds(1));
  EXPECT_THAT(out_.text(), testing::EndsWith("left_out=2\n"));
}

TEST_F(RoutingLogTest, ABreakerThatOpensIsToldOnceAndThatItCloses) {
  routing::CircuitBreaker breaker{{}};
  std::mt19937_64 random(1);
  const NodeId node("a");
  log_.Breaker(node, "reads", breaker, kStart);
  EXPECT_EQ(out_.text(), "");
  for (int i = 0; i < 5; ++i) breaker.OnFailure(*breaker.Admit(kStart), kStart, random);
  log_.Breaker(node, "reads", breaker, kStart);
  log_.Breaker(node, "reads", breaker, kStart + seconds(1));
  EXPECT_TRUE(log_.sees_open_breakers());
  EXPECT_EQ(out_.text(),
            "warning event=breaker node=a operations=reads state=open openings=1 left_out=0\n");
  out_.Clear();
  const TimePoint due = kStart + seconds(30);
  breaker.OnSuccess(*breaker.Admit(due), due);
  log_.Breaker(node, "reads", breaker, due);
  EXPECT_FALSE(log_.sees_open_breakers());
  EXPECT_EQ(out_.text(),
            "warning event=breaker node=a operations=reads state=closed openings=1 left_out=0\n");
}

TEST_F(RoutingLogTest, WhatAllLoopsSeeIsToldByOne) {
  RoutingLog other(logged_);
  routing::CircuitBreaker breaker{{}};
  std::mt19937_64 random(1);
  for (int i = 0; i < 5; ++i) breaker.OnFailure(*breaker.Admit(kStart), kStart, random);
  for (RoutingLog* log : {&log_, &other}) log->Breaker(NodeId("a"), "reads", breaker, kStart);
  const TimePoint due = kStart + seconds(30);
  breaker.OnSuccess(*breaker.Admit(due), due);
  for (RoutingLog* log : {&other, &log_}) log->Breaker(NodeId("a"), "reads", breaker, due);
  EXPECT_FALSE(log_.sees_open_breakers() || other.sees_open_breakers());
  EXPECT_EQ(out_.text(),
            "warning event=breaker node=a operations=reads state=open openings=1 left_out=0\n"
            "warning event=breaker node=a operations=reads state=closed openings=1 left_out=0\n");
}

TEST_F(RoutingLogTest, ReadsAndWritesHaveBreakersOfTheirOwn) {
  routing::CircuitBreaker open{{}};
  const routing::CircuitBreaker closed{{}};
  std::mt19937_64 random(1);
  for (int i = 0; i < 5; ++i) open.OnFailure(*open.Admit(kStart), kStart, random);
  log_.Breaker(NodeId("a"), "writes", open, kStart);
  log_.Breaker(NodeId("a"), "reads", closed, kStart);
  EXPECT_THAT(out_.text(), testing::HasSubstr("operations=writes state=open"));
  EXPECT_THAT(out_.text(), testing::Not(testing::HasSubstr("operations=reads")));
}

}  // namespace
}  // namespace engram::server
