// Where a routing table keeps its records: small blocks addressed by 32-bit numbers, which are half
// a pointer's size in the index and a quarter of a malloc'ed block's overhead.
//
// Thread-safety: At() from any thread, for a block that was published to it; the rest by the one
// writer. Freed blocks are used again, by size; nothing goes back to the system before the arena
// does.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/base/optimization.h"

namespace engram::routing {

class RouteArena {
 public:
  // Names a block. kNone names none.
  using Ref = uint32_t;
  static constexpr Ref kNone = 0;

  // A block's size is a multiple of this, which is also its alignment.
  static constexpr size_t kUnit = 8;

  RouteArena() = default;
  ~RouteArena();
  RouteArena(const RouteArena&) = delete;
  RouteArena& operator=(const RouteArena&) = delete;

  // Aborts when 32 GiB are in use. REQUIRES: bytes <= 4,096.
  Ref Allocate(size_t bytes);
  // `bytes` as it was allocated. REQUIRES: no reader can still be in the block.
  void Free(Ref ref, size_t bytes);

  std::byte* At(Ref ref) const {
    const size_t chunk = ChunkOf(ref);
    return chunks_[chunk].load(std::memory_order_relaxed) + (ref - FirstOf(chunk)) * kUnit;
  }

  // Taken from the system and touched.
  size_t bytes() const;

 private:
  // Chunk c has the numbers from kFirst << c on, as many as there are before them: small tables
  // stay small, and finding a block takes no search.
  static constexpr Ref kFirst = 512;
  static constexpr uint64_t kRefsMax = uint64_t{1} << 32;
  static constexpr size_t kChunks = 33 - std::bit_width(kFirst);

  static size_t ChunkOf(Ref ref) { return std::bit_width(ref) - std::bit_width(kFirst); }
  static Ref FirstOf(size_t chunk) { return kFirst << chunk; }
  static uint64_t EndOf(size_t chunk) { return uint64_t{FirstOf(chunk)} * 2; }
  static size_t UnitsOf(size_t bytes) { return (bytes + kUnit - 1) / kUnit; }

  std::array<std::atomic<std::byte*>, kChunks> chunks_{};

  // The writer's, apart from what readers read.
  alignas(ABSL_CACHELINE_SIZE) uint64_t next_ = kFirst;  // the first number never given out
  std::vector<Ref> free_;  // by size in units: the first of a list through the free blocks
};

}  // namespace engram::routing
