#include "engram/routing/latency_quantile.h"

#include <algorithm>
#include <bit>

namespace engram::routing {
namespace {

constexpr Duration kHalfLife = std::chrono::seconds(10);
constexpr int kFirstOctave = 10;  // below 2^10 ns all is one

}  // namespace

void LatencyQuantile::Observe(Duration took, TimePoint now) {
  if (now >= halve_at_.load(std::memory_order_relaxed)) Forget(now);
  buckets_[BucketOf(took)].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
}

std::optional<Duration> LatencyQuantile::P95() const {
  const uint32_t count = count_.load(std::memory_order_relaxed);
  if (count < kSamplesMin) return std::nullopt;
  uint32_t slower = 0;
  for (size_t i = kBuckets; i-- > 0;) {
    slower += buckets_[i].load(std::memory_order_relaxed);
    if (slower > count / 20) return UpperEdge(i);
  }
  return std::nullopt;  // halved by another thread just now
}

// Linear within an octave: the three bits after the leading one say which eighth.
size_t LatencyQuantile::BucketOf(Duration took) {
  const auto nanos = static_cast<uint64_t>(std::max(took.count(), Duration::rep{0}));
  const int octave = std::bit_width(nanos) - 1;
  if (octave < kFirstOctave) return 0;
  const size_t eighth = nanos >> (octave - 3) & 7;
  return std::min(static_cast<size_t>(octave - kFirstOctave) * kBucketsPerOctave + eighth,
                  kBuckets - 1);
}

Duration LatencyQuantile::UpperEdge(size_t bucket) {
  const auto octave = static_cast<int>(bucket / kBucketsPerOctave) + kFirstOctave;
  const auto eighths = static_cast<Duration::rep>(bucket % kBucketsPerOctave) + 9;
  return Duration(eighths << (octave - 3));
}

void LatencyQuantile::Forget(TimePoint now) {
  TimePoint due = halve_at_.load(std::memory_order_relaxed);
  if (now < due || !halve_at_.compare_exchange_strong(due, now + kHalfLife)) return;
  if (due == TimePoint::min()) return;
  const auto half_lives = std::min<Duration::rep>((now - due) / kHalfLife + 1, 31);
  uint32_t forgotten = 0;
  for (std::atomic<uint32_t>& bucket : buckets_) {
    // Subtracted, so that what another thread adds meanwhile stays.
    const uint32_t seen = bucket.load(std::memory_order_relaxed);
    if (seen == 0) continue;
    const uint32_t less = seen - (seen >> half_lives);
    bucket.fetch_sub(less, std::memory_order_relaxed);
    forgotten += less;
  }
  count_.fetch_sub(forgotten, std::memory_order_relaxed);
}

}  // namespace engram::routing
