#include "engram/routing/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace engram::routing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// min(base * 2^n, max), by the default options.
constexpr std::array<milliseconds, 9> kFull = {
    milliseconds(100),   milliseconds(200),   milliseconds(400),
    milliseconds(800),   milliseconds(1'600), milliseconds(3'200),
    milliseconds(5'000), milliseconds(5'000), milliseconds(5'000)};

TEST(ExponentialBackoff, DoublesUpToTheMaximumWithinTheJitterBand) {
  BackoffOptions options;
  std::mt19937_64 random(1);
  for (int n = 0; n < 30; ++n) {
    const Duration full = kFull[std::min<size_t>(n, kFull.size() - 1)];
    for (int i = 0; i < 1'000; ++i) {
      Duration delay = BackoffDelay(options, n, random);
      ASSERT_GE(delay, full / 2) << n;
      ASSERT_LE(delay, full) << n;
    }
  }
}

TEST(ExponentialBackoff, TakesWhatIsConfigured) {
  BackoffOptions options{.base = milliseconds(10), .max = milliseconds(25)};
  std::mt19937_64 random(1);
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_LE(BackoffDelay(options, 0, random), milliseconds(10));
    Duration capped = BackoffDelay(options, 1'000'000, random);
    EXPECT_GE(capped, options.max / 2);
    EXPECT_LE(capped, options.max);
  }
}

// Pearson's chi-square over the jitter band: with 20 cells, a uniform source exceeds 43.8 in one
// run of a thousand; the seed is fixed.
TEST(ExponentialBackoff, JitterIsUniform) {
  constexpr int kCells = 20;
  constexpr int kSamples = 20'000;
  BackoffOptions options;
  std::mt19937_64 random(1);
  for (size_t n = 0; n < kFull.size(); ++n) {
    const Duration half = Duration(kFull[n]) / 2;
    std::array<int, kCells> seen{};
    for (int i = 0; i < kSamples; ++i) {
      Duration jitter = BackoffDelay(options, static_cast<int>(n), random) - half;
      ++seen[std::min<size_t>(jitter * kCells / half, kCells - 1)];
    }
    double chi_square = 0;
    for (int count : seen) {
      const double expected = double{kSamples} / kCells;
      chi_square += (count - expected) * (count - expected) / expected;
    }
    EXPECT_LT(chi_square, 43.8) << n;
  }
}

// They come back over half of the full delay; in no 10 ms of it more than an even share and five
// standard deviations of it.
TEST(ExponentialBackoff, ThousandClientsThatFailTogetherComeBackSpreadOut) {
  constexpr int kClients = 1'000;
  BackoffOptions options;
  for (size_t n = 0; n < kFull.size(); ++n) {
    std::map<Duration::rep, int> arrivals;
    for (int client = 0; client < kClients; ++client) {
      std::mt19937_64 random(client);  // each node has a source of its own
      ++arrivals[BackoffDelay(options, static_cast<int>(n), random) / milliseconds(10)];
    }
    int most = 0;
    for (const auto& [slot, count] : arrivals) most = std::max(most, count);
    const double share = double{kClients} / (kFull[n] / 2 / milliseconds(10));
    EXPECT_LE(most, share + 5 * std::sqrt(share)) << n;
    EXPECT_GE(most, share) << n;
  }
}

}  // namespace
}  // namespace engram::routing
