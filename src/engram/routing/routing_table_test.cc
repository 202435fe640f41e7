#include "engram/routing/routing_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
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

// The rule in its plainest form.
class Model {
 public:
  void Apply(std::span<const Assignment> diff) {
    for (const Assignment& a : diff) {
      auto [known, added] = spaces_.try_emplace(a.space, a);
      if (!added && a.version > known->second.version) known->second = a;
    }
  }

  void ExpectEqual(const RoutingTable& table) const {
    ASSERT_EQ(table.size(), spaces_.size());
    std::vector<Assignment> all;
    std::map<NodeId, std::set<SpaceId>> held;
    for (const auto& [space, assignment] : spaces_) {
      all.push_back(assignment);
      EXPECT_EQ(table.FindAssignment(space.view()), assignment);
      held[assignment.primary].insert(space);
      for (const NodeId& replica : assignment.replicas) held[replica].insert(space);
    }
    EXPECT_EQ(table.All(), all);
    for (int n = 0; n < kNodes; ++n) {
      const NodeId node = Node(n);
      EXPECT_EQ(table.SpacesOf(node), std::vector(held[node].begin(), held[node].end()));
    }
  }

  static constexpr int kNodes = 9;
  static NodeId Node(uint64_t n) { return NodeId(fmt::format("node-{}", n)); }

 private:
  std::map<SpaceId, Assignment> spaces_;
};

// What is said of a space at a version is a function of both: no two share a version.
Assignment Random(std::mt19937_64& random, int spaces) {
  const uint64_t space = random() % spaces;
  const uint64_t counter = random() % 4 + 1;
  const uint64_t reign = random() % 3;  // of this epoch counter's primaries
  const uint64_t sequence = random() % 6;
  std::mt19937_64 content(space * 1'000 + counter * 100 + reign * 10 + sequence);
  Assignment a;
  a.space = SpaceId(fmt::format("{}-{}", std::string(space % 40, 's'), space));
  a.primary = Model::Node((space + counter + reign) % Model::kNodes);
  a.version = {{counter, a.primary}, sequence};
  for (uint64_t r = content() % (Route::kReplicasMax + 1); r > 0; --r) {
    a.replicas.push_back(Model::Node(content() % Model::kNodes));
  }
  return a;
}

std::vector<std::vector<Assignment>> RandomDiffs(std::mt19937_64& random) {
  std::vector<std::vector<Assignment>> diffs(random() % 30 + 1);
  for (auto& diff : diffs) {
    diff.resize(random() % 50);
    for (Assignment& a : diff) a = Random(random, 120);
  }
  return diffs;
}

TEST(RoutingTable, FindsWhatWasApplied) {
  NodeTable nodes;
  RoutingTable table(nodes);
  EXPECT_EQ(table.Find("notes"), std::nullopt);
  const Assignment notes = Make("notes", "a", 3, 4, {NodeId("b"), NodeId("c")});
  EXPECT_EQ(ApplyOne(table, notes), 1u);
  std::optional<Route> route = table.Find("notes");
  ASSERT_TRUE(route.has_value());
  EXPECT_EQ(nodes.IdOf(route->primary), NodeId("a"));
  EXPECT_THAT(route->replicas(), ElementsAre(*nodes.Find("b"), *nodes.Find("c")));
  EXPECT_EQ(route->version, (RouteVersion{3, 4, *nodes.Find("a")}));
  EXPECT_EQ(table.FindAssignment("notes"), notes);
  EXPECT_EQ(table.size(), 1u);
}

TEST(RoutingTable, ASpaceMayBeWithoutAPrimaryForAWhile) {
  NodeTable nodes;
  RoutingTable table(nodes);
  const Assignment vacant = Make("notes", "", 3, 0, {NodeId("b"), NodeId("c")});
  EXPECT_EQ(ApplyOne(table, vacant), 1u);
  const std::optional<Route> route = table.Find("notes");
  ASSERT_TRUE(route.has_value());
  EXPECT_EQ(route->primary, kNoNode);
  EXPECT_EQ(table.FindAssignment("notes"), vacant);
  EXPECT_EQ(table.SpacesOf(NodeId("b")), std::vector<SpaceId>{SpaceId("notes")});
  EXPECT_EQ(ApplyOne(table, Make("notes", "b", 3, 1, {NodeId("c")})), 1u) << "it has one again";
}

TEST(RoutingTable, FindsNamesOfEveryLength) {
  NodeTable nodes;
  RoutingTable table(nodes);
  for (size_t length = 1; length <= RouteRecord::kNameMax; ++length) {
    ApplyOne(table, Make(std::string(length, 'x'), "a", 1, length));
  }
  for (size_t length = 1; length <= RouteRecord::kNameMax; ++length) {
    ASSERT_EQ(table.Find(std::string(length, 'x'))->version.sequence, length);
  }
}

TEST(RoutingTable, RefusesWhatDoesNotFitARoute) {
  NodeTable nodes;
  RoutingTable table(nodes);
  std::vector<NodeId> replicas(Route::kReplicasMax, NodeId("r"));
  EXPECT_EQ(ApplyOne(table, Make("most", "a", 1, 1, replicas)), 1u);
  replicas.emplace_back("s");
  EXPECT_EQ(ApplyOne(table, Make("more", "a", 1, 1, replicas)), 0u);
  EXPECT_EQ(ApplyOne(table, Make(std::string(256, 'x'), "a", 1, 1)), 0u);
  EXPECT_EQ(table.refused(), 2u);
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
    NodeTable nodes;
    RoutingTable table(nodes);
    for (size_t i : order) ApplyOne(table, history[i]);
    EXPECT_EQ(*table.FindAssignment("s"), history.back());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(RoutingTable, AStaleDiffChangesNothing) {
  NodeTable nodes;
  RoutingTable table(nodes);
  ApplyOne(table, Make("s", "b", 2, 1));
  const uint64_t version = table.version();
  EXPECT_EQ(ApplyOne(table, Make("s", "a", 1, 9)), 0u);
  EXPECT_EQ(ApplyOne(table, Make("s", "b", 2, 1)), 0u);
  EXPECT_EQ(table.version(), version);
  EXPECT_EQ(nodes.Find("a"), std::nullopt);  // what loses leaves no trace
}

TEST(RoutingTable, SaysWhichWereNewer) {
  NodeTable nodes;
  RoutingTable table(nodes);
  ApplyOne(table, Make("s", "a", 2, 2));
  const std::vector<Assignment> diff = {Make("s", "a", 2, 1), Make("t", "a", 1, 1),
                                        Make("t", "a", 1, 1), Make("s", "a", 2, 3)};
  EXPECT_THAT(table.ApplyNewer(diff), ElementsAre(1, 3));
}

TEST(RoutingTable, VersionGrowsOnceWithEachChange) {
  NodeTable nodes;
  RoutingTable table(nodes);
  std::mt19937_64 random(5);
  for (const auto& diff : RandomDiffs(random)) {
    const uint64_t before = table.version();
    const size_t changed = table.Apply(diff);
    EXPECT_EQ(table.version(), before + changed);
  }
}

// Random diffs against the model: what is known after them depends neither on their order, nor on
// how they were cut, nor on how often each came.
TEST(RoutingTable, IsTheNewestOfEachSpaceWhateverTheOrder) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    auto diffs = RandomDiffs(random);
    Model model;
    NodeTable nodes;
    RoutingTable in_order(nodes);
    for (const auto& diff : diffs) {
      model.Apply(diff);
      in_order.Apply(diff);
    }
    model.ExpectEqual(in_order);

    std::vector<Assignment> mixed;
    for (int times = 0; times < 2; ++times) {
      for (const auto& diff : diffs) mixed.insert(mixed.end(), diff.begin(), diff.end());
    }
    std::shuffle(mixed.begin(), mixed.end(), random);
    RoutingTable shuffled(nodes);
    for (size_t at = 0; at < mixed.size();) {
      const size_t cut = std::min<size_t>(random() % 70, mixed.size() - at);
      shuffled.Apply(std::span(mixed).subspan(at, cut));
      at += cut;
    }
    model.ExpectEqual(shuffled);
    EXPECT_EQ(shuffled.Apply(mixed), 0u);
  }
}

TEST(RoutingTable, ReverseIndexFollowsMoves) {
  NodeTable nodes;
  RoutingTable table(nodes);
  ApplyOne(table, Make("s", "a", 1, 1, {NodeId("b")}));
  ApplyOne(table, Make("t", "a", 1, 1));
  EXPECT_THAT(table.SpacesOf(NodeId("a")), ElementsAre(SpaceId("s"), SpaceId("t")));
  EXPECT_THAT(table.SpacesOf(NodeId("b")), ElementsAre(SpaceId("s")));
  ApplyOne(table, Make("s", "c", 2, 1));
  EXPECT_THAT(table.SpacesOf(NodeId("a")), ElementsAre(SpaceId("t")));
  EXPECT_THAT(table.SpacesOf(NodeId("b")), IsEmpty());
  EXPECT_THAT(table.SpacesOf(NodeId("c")), ElementsAre(SpaceId("s")));
}

TEST(RoutingTable, TablesOnOneThreadDoNotMix) {
  constexpr int kTables = 200;
  NodeTable nodes;
  std::deque<RoutingTable> tables;
  for (int t = 0; t < kTables; ++t) {
    ApplyOne(tables.emplace_back(nodes), Make("s", fmt::format("n{}", t), 1, 1));
    EXPECT_LT(tables.back().bytes(), 8u << 10);
  }
  for (int round = 0; round < 3; ++round) {
    for (int t = 0; t < kTables; ++t) {
      EXPECT_EQ(nodes.IdOf(tables[t].Find("s")->primary), NodeId(fmt::format("n{}", t)));
    }
  }
}

TEST(RoutingTable, ReplacementMayGoBackwards) {
  NodeTable nodes;
  RoutingTable table(nodes);
  for (int s = 0; s < 100; ++s) ApplyOne(table, Make(fmt::format("s{}", s), "a", 5, 5));
  const uint64_t version = table.version();
  const std::vector<Assignment> older = {Make("s1", "b", 1, 1, {NodeId("c")}),
                                         Make("t", "c", 1, 1)};
  table.ReplaceForTest(older);
  EXPECT_EQ(table.All(), older);
  EXPECT_THAT(table.SpacesOf(NodeId("a")), IsEmpty());
  EXPECT_THAT(table.SpacesOf(NodeId("c")), ElementsAre(SpaceId("s1"), SpaceId("t")));
  EXPECT_EQ(table.Find("s2"), std::nullopt);
  EXPECT_GT(table.version(), version);
}

// A thread that has read and never reads again keeps nothing of what is replaced meanwhile.
TEST(RoutingTable, AnIdleReaderKeepsNoOldMemory) {
  constexpr int kSpaces = 1'000;
  NodeTable nodes;
  RoutingTable table(nodes);
  std::vector<Assignment> diff;
  for (int s = 0; s < kSpaces; ++s) diff.push_back(Make(fmt::format("s{}", s), "a", 1, 0));
  table.Apply(diff);
  std::atomic<bool> has_read = false;
  std::atomic<bool> stop = false;
  std::thread idle([&] {
    EXPECT_TRUE(table.Find("s0").has_value());
    has_read = true;
    has_read.notify_one();
    stop.wait(false);
  });
  has_read.wait(false);
  auto change_all = [&] {
    for (Assignment& a : diff) ++a.version.sequence;
    EXPECT_EQ(table.Apply(diff), diff.size());
  };
  change_all();
  const size_t after_one = table.bytes();
  for (int i = 0; i < 200; ++i) change_all();
  EXPECT_LE(table.bytes(), after_one + kSpaces * sizeof(RouteRecord));
  stop = true;
  stop.notify_one();
  idle.join();
}

// Every field follows from the sequence, so that a torn read shows.
Assignment Whole(const std::string& space, uint64_t sequence) {
  auto node = [&](uint64_t n) { return NodeId(fmt::format("n{}", (sequence + n) % 8)); };
  Assignment a{SpaceId(space), node(0), {}, {{sequence, node(0)}, sequence}};
  for (uint64_t r = 1; r <= sequence % 4; ++r) a.replicas.push_back(node(r));
  return a;
}

class RoutingTableUnderChange : public testing::Test {
 protected:
  static constexpr int kSpaces = 64;
  static constexpr uint64_t kVersions = 300;

  RoutingTableUnderChange() {
    for (int s = 0; s < kSpaces; ++s) names_.push_back(fmt::format("s{}", s));
    for (int n = 0; n < 8; ++n) numbers_.push_back(nodes_.Intern(NodeId(fmt::format("n{}", n))));
  }

  // Until every version was applied; the table grows meanwhile.
  template <class Reader>
  void Run(Reader reader) {
    std::atomic<bool> stop = false;
    std::atomic<int> started = 0;
    std::vector<std::thread> readers;
    for (int r = 0; r < 2; ++r) {
      readers.emplace_back([&] {
        ++started;
        reader(stop);
      });
    }
    while (started < 2) std::this_thread::yield();
    std::mt19937_64 random(3);
    for (uint64_t v = 1; v <= kVersions; ++v) {
      std::vector<Assignment> diff;
      for (const std::string& name : names_) diff.push_back(Whole(name, random() % v + 1));
      diff.push_back(Make(fmt::format("new-{}", v), "n0", 1, 1));
      table_.Apply(diff);
    }
    stop = true;
    for (std::thread& thread : readers) thread.join();
  }

  void ExpectWhole(const Route& route) const {
    const uint64_t sequence = route.version.sequence;
    auto node = [&](uint64_t n) { return numbers_[(sequence + n) % 8]; };
    ASSERT_EQ(route.version, (RouteVersion{sequence, sequence, node(0)}));
    ASSERT_EQ(route.primary, node(0));
    ASSERT_EQ(route.replica_count, sequence % 4);
    for (uint64_t r = 1; r <= route.replica_count; ++r) ASSERT_EQ(route.replica[r - 1], node(r));
  }

  NodeTable nodes_;
  RoutingTable table_{nodes_};
  std::vector<std::string> names_;
  std::vector<NodeIndex> numbers_;
};

TEST_F(RoutingTableUnderChange, ReadersSeeWholeRoutesThatNeverGoBackwards) {
  Run([&](const std::atomic<bool>& stop) {
    std::vector<uint64_t> seen(kSpaces, 0);
    while (!stop) {
      for (int s = 0; s < kSpaces; ++s) {
        std::optional<Route> route = table_.Find(names_[s]);
        if (!route.has_value()) {
          ASSERT_EQ(seen[s], 0u);
          continue;
        }
        ExpectWhole(*route);
        ASSERT_GE(route->version.sequence, seen[s]);
        seen[s] = route->version.sequence;
      }
    }
  });
}

// Each diff changes the first space and then, always to the same or an older version, the second:
// a reader between equal table versions never sees the second ahead of the first.
TEST(RoutingTable, WhatWasReadBetweenEqualVersionsWasTrueAtOnce) {
  constexpr uint64_t kVersions = 20'000;
  NodeTable nodes;
  RoutingTable table(nodes);
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      while (!stop) {
        const uint64_t before = table.version();
        std::optional<Route> first = table.Find("first");
        std::optional<Route> second = table.Find("second");
        if (table.version() != before) continue;
        const uint64_t f = first ? first->version.sequence : 0;
        const uint64_t s = second ? second->version.sequence : 0;
        ASSERT_TRUE(f == s || f == s + 1) << f << " " << s;
      }
    });
  }
  for (uint64_t v = 1; v <= kVersions; ++v) {
    const std::vector<Assignment> diff = {Make("first", "a", 1, v), Make("second", "a", 1, v)};
    table.Apply(diff);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace engram::routing
