#include "engram/routing/route_arena.h"

#include <cstdlib>
#include <cstring>
#include <utility>

namespace engram::routing {

RouteArena::~RouteArena() {
  for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
}

RouteArena::Ref RouteArena::Allocate(size_t bytes) {
  const size_t units = UnitsOf(bytes);
  if (units < free_.size() && free_[units] != kNone) {
    const Ref ref = free_[units];
    std::memcpy(&free_[units], At(ref), sizeof(Ref));
    return ref;
  }
  if (next_ + units > kRefsMax) std::abort();
  size_t chunk = ChunkOf(static_cast<Ref>(next_));
  if (next_ + units > EndOf(chunk)) {  // a block lies in one chunk
    next_ = EndOf(chunk++);
    if (next_ + units > kRefsMax) std::abort();
  }
  if (chunks_[chunk].load(std::memory_order_relaxed) == nullptr) {
    chunks_[chunk].store(new std::byte[FirstOf(chunk) * kUnit], std::memory_order_relaxed);
  }
  return static_cast<Ref>(std::exchange(next_, next_ + units));
}

void RouteArena::Free(Ref ref, size_t bytes) {
  const size_t units = UnitsOf(bytes);
  if (units >= free_.size()) free_.resize(units + 1, kNone);
  std::memcpy(At(ref), &free_[units], sizeof(Ref));
  free_[units] = ref;
}

size_t RouteArena::bytes() const { return (next_ - kFirst) * kUnit; }

}  // namespace engram::routing
