#include "engram/server/routed_sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace engram::server {
namespace {

using routing::AttemptRecord;
using testing::ElementsAre;
using testing::IsEmpty;

AttemptRecord Attempt(const char* node, const char* outcome,
                      ErrorCode error = ErrorCode::kUnspecified) {
  absl::Status status =
      error == ErrorCode::kUnspecified ? absl::OkStatus() : MakeError(error, "an error");
  return {NodeId(node), outcome, "", status, {}};
}

struct Counted {
  RetryReasons reasons;
  RoutedSample sample;

  explicit Counted(const std::vector<AttemptRecord>& attempts) {
    CountAttempts(attempts, reasons, sample);
  }
};

TEST(CountAttempts, OneThatSucceedsIsOneHop) {
  const Counted c({Attempt("a", "ok")});
  EXPECT_EQ(c.sample.hops, 1);
  EXPECT_EQ(c.sample.redirects, 0);
  EXPECT_EQ(c.sample.fallbacks, 0);
  EXPECT_FALSE(c.sample.stale);
  EXPECT_THAT(c.sample.retries, IsEmpty());
}

TEST(CountAttempts, NoneIsNoHop) { EXPECT_EQ(Counted({}).sample.hops, 0); }

TEST(CountAttempts, ARedirectThatIsFollowedIsAHopAndMakesTheRequestStale) {
  const Counted c({Attempt("a", "redirect", ErrorCode::kWrongNode), Attempt("b", "ok")});
  EXPECT_EQ(c.sample.hops, 2);
  EXPECT_EQ(c.sample.redirects, 1);
  EXPECT_EQ(c.sample.fallbacks, 0);
  EXPECT_TRUE(c.sample.stale);
}

TEST(CountAttempts, ARedirectThatIsNotFollowedIsNoHop) {
  const Counted c({Attempt("a", "redirect", ErrorCode::kWrongNode)});
  EXPECT_EQ(c.sample.hops, 1);
  EXPECT_EQ(c.sample.redirects, 1);
}

TEST(CountAttempts, AnotherHolderIsAFallbackAndTheSameOneARetryWithItsReason) {
  const Counted c({Attempt("a", "failed", ErrorCode::kConnectionFailed),
                   Attempt("b", "failed", ErrorCode::kOverloaded),
                   Attempt("a", "failed", ErrorCode::kShuttingDown), Attempt("b", "failed"),
                   Attempt("a", "ok")});
  EXPECT_EQ(c.sample.hops, 1);
  EXPECT_EQ(c.sample.fallbacks, 1);
  EXPECT_THAT(c.sample.retries, ElementsAre(ErrorCode::kConnectionFailed, ErrorCode::kOverloaded,
                                            ErrorCode::kShuttingDown));
  EXPECT_FALSE(c.sample.stale);
}

}  // namespace
}  // namespace engram::server
