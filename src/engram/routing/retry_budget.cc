#include "engram/routing/retry_budget.h"

#include <algorithm>
#include <cmath>

#include "absl/base/macros.h"

namespace engram::routing {
namespace {

constexpr uint32_t kToken = 1000;
constexpr uint32_t kFloorMax = 3 * kToken;
constexpr double kHandedOut = 0.9;  // of the ratio; see the header
constexpr int kTickBits = 27;       // a tick is 2^27 ns
constexpr double kSecondsPerTick = (1 << kTickBits) * 1e-9;
constexpr double kExpirySeconds = 1.0;

// Wraps after 18 years; only differences count.
uint32_t TickOf(TimePoint now) {
  return static_cast<uint32_t>(now.time_since_epoch().count() >> kTickBits);
}

constexpr uint32_t Less(uint32_t tokens) { return tokens > kToken ? tokens - kToken : 0; }

}  // namespace

RetryBudget::RetryBudget(const RetryBudgetOptions& options)
    : deposit_(static_cast<uint32_t>(std::lround(kHandedOut * options.ratio * kToken))),
      share_max_(static_cast<uint32_t>(std::lround(options.burst * kToken))),
      floor_per_tick_(options.floor_per_second * kSecondsPerTick * kToken),
      word_(Pack({0, 0, options.floor_per_second > 0 ? kFloorMax : 0})) {
  ABSL_HARDENING_ASSERT(options.ratio >= 0 && options.ratio <= 1);
  ABSL_HARDENING_ASSERT(options.burst >= 0 && options.burst <= 1000);
  ABSL_HARDENING_ASSERT(options.floor_per_second == 0 ||
                        (options.floor_per_second >= 0.1 && options.floor_per_second <= 3));
}

void RetryBudget::OnRequest(TimePoint now) {
  uint64_t word = word_.load(std::memory_order_relaxed);
  while (true) {
    Buckets b = At(word, now);
    b.share = std::min(b.share + deposit_, share_max_);
    const uint64_t next = Pack(b);
    if (next == word) return;
    if (word_.compare_exchange_weak(word, next, std::memory_order_relaxed)) return;
  }
}

bool RetryBudget::TryWithdraw(TimePoint now) {
  uint64_t word = word_.load(std::memory_order_relaxed);
  while (true) {
    Buckets b = At(word, now);
    if (std::max(b.share, b.floor) < kToken) return false;
    b.share = Less(b.share);
    b.floor = Less(b.floor);
    if (word_.compare_exchange_weak(word, Pack(b), std::memory_order_relaxed)) return true;
  }
}

double RetryBudget::balance(TimePoint now) const {
  const Buckets b = At(word_.load(std::memory_order_relaxed), now);
  return static_cast<double>(std::max(b.share, b.floor)) / kToken;
}

RetryBudget::Buckets RetryBudget::Unpack(uint64_t word) {
  return {static_cast<uint32_t>(word >> 32), static_cast<uint32_t>(word >> 12 & 0xF'FFFF),
          static_cast<uint32_t>(word & 0xFFF)};
}

RetryBudget::Buckets RetryBudget::At(uint64_t word, TimePoint now) const {
  Buckets b = Unpack(word);
  const uint32_t tick = TickOf(now);
  // Another thread's clock reading may be a little ahead of this one's.
  const auto ticks = static_cast<int32_t>(tick - b.tick);
  if (ticks <= 0) return b;
  const double left = std::exp(-ticks * kSecondsPerTick / kExpirySeconds);
  const double accrued = std::min(ticks * floor_per_tick_, double{kFloorMax});
  b.share = static_cast<uint32_t>(b.share * left);
  b.floor = std::min(b.floor + static_cast<uint32_t>(accrued), kFloorMax);
  b.tick = tick;
  return b;
}

}  // namespace engram::routing
