#include "engram/routing/peak_ewma.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/base/macros.h"

namespace engram::routing {
namespace {

constexpr int kTickBits = 20;  // a tick is 2^20 ns

// Wraps after 52 days; only differences count.
uint32_t TickOf(TimePoint now) {
  return static_cast<uint32_t>(now.time_since_epoch().count() >> kTickBits);
}

float NanosIn(uint64_t word) { return std::bit_cast<float>(static_cast<uint32_t>(word)); }
uint32_t TickIn(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
uint64_t Word(uint32_t tick, float nanos) {
  return uint64_t{tick} << 32 | std::bit_cast<uint32_t>(nanos);
}

// What is left of an estimate at `tick`. Another thread's clock reading may be a little ahead.
double WeightAt(uint32_t tick, uint64_t word, double decay_ticks) {
  const auto ticks = static_cast<int32_t>(tick - TickIn(word));
  return ticks <= 0 ? 1.0 : std::exp(-ticks / decay_ticks);
}

}  // namespace

PeakEwma::PeakEwma(const PeakEwmaOptions& options)
    : decay_ticks_(static_cast<double>(options.decay.count()) / (1 << kTickBits)),
      unknown_cost_(static_cast<double>(options.unknown_cost.count())) {
  ABSL_HARDENING_ASSERT(options.decay > Duration{});
}

void PeakEwma::End(Duration took, TimePoint now) {
  pending_.fetch_sub(1, std::memory_order_relaxed);
  const auto sample = static_cast<float>(std::max(took.count(), Duration::rep{1}));
  const uint32_t tick = TickOf(now);
  uint64_t word = word_.load(std::memory_order_relaxed);
  uint64_t next = 0;
  do {
    const double weight = WeightAt(tick, word, decay_ticks_);
    const float old = NanosIn(word);
    const auto mixed = static_cast<float>(old * weight + sample * (1 - weight));
    // The later of the two ticks: a late report must not make the estimate older.
    const uint32_t latest = weight < 1 || old == 0 ? tick : TickIn(word);
    next = Word(latest, sample > old ? sample : mixed);
  } while (next != word && !word_.compare_exchange_weak(word, next, std::memory_order_relaxed));
}

Duration PeakEwma::Estimate(TimePoint now) const {
  const uint64_t word = word_.load(std::memory_order_relaxed);
  return Duration(std::llround(NanosIn(word) * WeightAt(TickOf(now), word, decay_ticks_)));
}

double PeakEwma::Cost(TimePoint now) const {
  const uint64_t word = word_.load(std::memory_order_relaxed);
  const int pending = pending_.load(std::memory_order_relaxed);
  if (NanosIn(word) == 0) return unknown_cost_ * pending;
  return NanosIn(word) * WeightAt(TickOf(now), word, decay_ticks_) * (pending + 1);
}

}  // namespace engram::routing
