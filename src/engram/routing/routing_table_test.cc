#include "engram/routing/routing_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

namespace engram::routing {
namespace {

using placement::Assignment;
using testing::ElementsAre;
using testing::IsEmpty;

Assignment Make(const std::string& space, const std::string& primary, uint64_t counter,
                uint64_t sequence, std::vector<NodeId> replicas = {}) {
  return {
      SpaceId(space), NodeId(primary), std::move(replicas), {{counter, NodeId(primary)}, sequence}};
}

size_t ApplyOne(RoutingTable& table, const Assignment& assignment) {
  return table.Apply(std::span(&assignment, 1));
}

TEST(RoutingTable, FindsWhatWasApplied) {
  RoutingTable table;
  EXPECT_EQ(table.Find("notes"), nullptr);
  EXPECT_EQ(ApplyOne(table, Make("notes", "a", 1, 1)), 1u);
  ASSERT_NE(table.Find("notes"), nullptr);
  EXPECT_EQ(table.Find("notes")->primary, NodeId("a"));
  EXPECT_EQ(table.size(), 1u);
}

TEST(RoutingTable, NewestVersionWinsInWhateverOrder) {
  std::vector<Assignment> history = {Make("s", "a", 1, 1), Make("s", "a", 1, 5),
                                     Make("s", "b", 2, 1),
                                     Make("s", "c", 2, 1)};  // (2, c) is after (2, b)
  std::sort(history.begin(), history.end(),
            [](const Assignment& x, const Assignment& y) { return x.version < y.version; });
  std::vector<size_t> order = {0, 1, 2, 3};
  do {
    RoutingTable table;
    for (size_t i : order) ApplyOne(table, history[i]);
    EXPECT_EQ(*table.Find("s"), history.back());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(RoutingTable, AStaleDiffChangesNothing) {
  RoutingTable table;
  ApplyOne(table, Make("s", "b", 2, 1));
  uint64_t version = table.version();
  EXPECT_EQ(ApplyOne(table, Make("s", "a", 1, 9)), 0u);
  EXPECT_EQ(table.version(), version);
}

TEST(RoutingTable, ReverseIndexFollowsMoves) {
  RoutingTable table;
  ApplyOne(table, Make("s", "a", 1, 1, {NodeId("b")}));
  ApplyOne(table, Make("t", "a", 1, 1));
  EXPECT_THAT(table.SpacesOf(NodeId("a")), ElementsAre(SpaceId("s"), SpaceId("t")));
  EXPECT_THAT(table.SpacesOf(NodeId("b")), ElementsAre(SpaceId("s")));
  ApplyOne(table, Make("s", "c", 2, 1));
  EXPECT_THAT(table.SpacesOf(NodeId("a")), ElementsAre(SpaceId("t")));
  EXPECT_THAT(table.SpacesOf(NodeId("b")), IsEmpty());
  EXPECT_THAT(table.SpacesOf(NodeId("c")), ElementsAre(SpaceId("s")));
}

TEST(RoutingTable, TwoTablesOnOneThreadDoNotMix) {
  RoutingTable one;
  RoutingTable two;
  ApplyOne(one, Make("s", "a", 1, 1));
  ApplyOne(two, Make("s", "b", 1, 1));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(one.Find("s")->primary, NodeId("a"));
    EXPECT_EQ(two.Find("s")->primary, NodeId("b"));
  }
}

TEST(RoutingTable, ReadersNeverSeeASpaceGoBackwards) {
  constexpr int kSpaces = 64;
  constexpr uint64_t kVersions = 300;
  RoutingTable table;
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      std::vector<uint64_t> seen(kSpaces, 0);
      while (!stop) {
        for (int s = 0; s < kSpaces; ++s) {
          auto found = table.Find(fmt::format("s{}", s));
          uint64_t now = found == nullptr ? 0 : found->version.sequence;
          ASSERT_GE(now, seen[s]);
          seen[s] = now;
        }
      }
    });
  }
  std::mt19937_64 random(3);
  for (uint64_t v = 1; v <= kVersions; ++v) {
    std::vector<Assignment> diff;
    for (int s = 0; s < kSpaces; ++s)
      diff.push_back(Make(fmt::format("s{}", s), "a", 1, random() % v + 1));
    table.Apply(diff);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace engram::routing
