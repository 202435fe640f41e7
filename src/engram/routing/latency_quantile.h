// The 95th percentile of how long a node takes to answer: after so long a hedged read asks a second
// holder (SPEC R13).
//
// A histogram with eight buckets to an octave from 1 us to 64 s, so that what it says is at most an
// eighth above the truth. It forgets: every 10 s all counts are halved.
//
// Thread-safety: everything from any thread, lock-free. A reader beside a writer may be off by the
// few answers that come in meanwhile.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "engram/base/time.h"

namespace engram::routing {

class LatencyQuantile {
 public:
  // Fewer answers say nothing about one in twenty.
  static constexpr uint32_t kSamplesMin = 20;

  LatencyQuantile() = default;
  LatencyQuantile(const LatencyQuantile&) = delete;
  LatencyQuantile& operator=(const LatencyQuantile&) = delete;

  void Observe(Duration took, TimePoint now);
  // The upper edge of the bucket that the percentile is in; nullopt below `kSamplesMin`.
  std::optional<Duration> P95() const;

 private:
  static constexpr int kBucketsPerOctave = 8;
  static constexpr size_t kBuckets = size_t{26} * kBucketsPerOctave;

  static size_t BucketOf(Duration took);
  static Duration UpperEdge(size_t bucket);
  void Forget(TimePoint now);

  std::atomic<TimePoint> halve_at_{TimePoint::min()};
  std::atomic<uint32_t> count_{0};
  std::array<std::atomic<uint32_t>, kBuckets> buckets_{};
};

}  // namespace engram::routing
