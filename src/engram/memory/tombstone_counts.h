// How many tombstones a node has, for metrics.
#pragma once

#include <cstdint>

namespace engram::memory {

// Of all spaces together.
struct TombstoneCounts {
  uint64_t there = 0;
  uint64_t collected = 0;  // since the process began
};

}  // namespace engram::memory
