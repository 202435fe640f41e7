#include "engram/routing/route_arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <utility>

namespace engram::routing {
namespace {

TEST(RouteArena, UsesAFreedBlockAgain) {
  RouteArena arena;
  RouteArena::Ref first = arena.Allocate(60);
  size_t bytes = arena.bytes();
  arena.Free(first, 60);
  EXPECT_EQ(arena.Allocate(57), first);  // the same number of units
  EXPECT_EQ(arena.bytes(), bytes);
}

// Far enough for several chunks; every block keeps its bytes while others come and go.
TEST(RouteArena, BlocksDoNotOverlap) {
  RouteArena arena;
  std::mt19937_64 random(1);
  std::map<RouteArena::Ref, std::pair<size_t, int>> blocks;  // size, what it is filled with
  for (int i = 0; i < 60'000; ++i) {
    if (!blocks.empty() && random() % 3 == 0) {
      auto some =
          blocks.lower_bound(static_cast<RouteArena::Ref>(random() % blocks.rbegin()->first));
      auto [bytes, fill] = some->second;
      for (size_t b = 0; b < bytes; ++b) {
        ASSERT_EQ(static_cast<int>(arena.At(some->first)[b]), fill);
      }
      arena.Free(some->first, bytes);
      blocks.erase(some);
      continue;
    }
    const size_t bytes = 26 + random() % 150;
    const int fill = i % 251;
    RouteArena::Ref ref = arena.Allocate(bytes);
    ASSERT_TRUE(blocks.emplace(ref, std::pair(bytes, fill)).second);
    std::memset(arena.At(ref), fill, bytes);
  }
  EXPECT_GT(arena.bytes(), 1u << 20);
}

}  // namespace
}  // namespace engram::routing
