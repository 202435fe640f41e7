#include "engram/routing/backoff.h"

#include <gtest/gtest.h>

namespace engram::routing {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheMaximumWithinTheJitterBand) {
  BackoffOptions options;
  std::mt19937_64 random(1);
  Duration full = options.base;
  for (int n = 0; n < 30; ++n) {
    for (int i = 0; i < 200; ++i) {
      Duration delay = BackoffDelay(options, n, random);
      EXPECT_GE(delay, full / 2) << n;
      EXPECT_LE(delay, full) << n;
    }
    full = std::min(full * 2, options.max);
  }
}

TEST(Backoff, SpreadsOverTheWholeBand) {
  BackoffOptions options;
  std::mt19937_64 random(1);
  Duration least = Duration::max();
  Duration most{};
  for (int i = 0; i < 10'000; ++i) {
    Duration delay = BackoffDelay(options, 0, random);
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  EXPECT_LT(least, milliseconds(51));
  EXPECT_GT(most, milliseconds(99));
}

}  // namespace
}  // namespace engram::routing
