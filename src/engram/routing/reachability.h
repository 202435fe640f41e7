// How much of the cluster this node reaches: the port through which membership tells routing that
// the node is cut off (SPEC R12).
//
// Thread-safety: everything from any thread, lock-free; a load is one atomic read.
#pragma once

#include <atomic>
#include <cstdint>

#include "engram/base/time.h"

namespace engram::routing {

// When to come again for what a node that is cut off does not hold: it looks again this often.
inline constexpr Duration kPartitionPause = std::chrono::seconds(1);

struct Reachability {
  bool partitioned = false;
  uint32_t reachable = 1;  // this node counts; below 2^31
  uint32_t total = 1;

  // What the confidence of an answer is multiplied by.
  double ConfidenceFactor() const {
    return partitioned ? 1 - 0.5 * (1 - static_cast<double>(reachable) / total) : 1;
  }
};

class ReachabilityCell {
 public:
  void Store(const Reachability& r) {
    word_.store(uint64_t{r.partitioned} << 63 | uint64_t{r.reachable} << 32 | r.total,
                std::memory_order_relaxed);
  }
  Reachability Load() const {
    const uint64_t word = word_.load(std::memory_order_relaxed);
    return {(word >> 63) != 0, static_cast<uint32_t>(word >> 32 & 0x7FFF'FFFF),
            static_cast<uint32_t>(word)};
  }

 private:
  std::atomic<uint64_t> word_{uint64_t{1} << 32 | 1};
};

}  // namespace engram::routing
