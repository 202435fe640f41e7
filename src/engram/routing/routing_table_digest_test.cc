// By what two nodes' tables are compared: the digest, and the visit of what differs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "engram/routing/routing_table.h"

namespace engram::routing {
namespace {

using placement::Assignment;

Assignment Make(const std::string& space, const std::string& primary, uint64_t counter,
                uint64_t sequence) {
  return {SpaceId(space), NodeId(primary), {}, {{counter, NodeId(primary)}, sequence}};
}

std::vector<Assignment> Many(size_t count, uint64_t sequence) {
  std::vector<Assignment> many;
  for (size_t s = 0; s < count; ++s) {
    many.push_back(Make(fmt::format("s{}", s), fmt::format("n{}", s % 7), 1, sequence));
  }
  return many;
}

std::vector<Assignment> RandomDiff(std::mt19937_64& random) {
  std::vector<Assignment> diff(random() % 50);
  for (Assignment& a : diff) {
    a = Make(fmt::format("s{}", random() % 120), fmt::format("n{}", random() % 5), random() % 4,
             random() % 6);
  }
  return diff;
}

// What Digest() has to be, whatever way the table took.
VersionDigest DigestOf(const RoutingTable& table) {
  VersionDigest digest;
  for (const Assignment& a : table.All()) {
    digest.Toggle(a.space.view(), VersionDigest::ViewOf(a.version));
  }
  return digest;
}

TEST(RoutingTableDigest, IsOfWhatIsThereWhateverTheOrder) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    NodeTable nodes;
    RoutingTable kept(nodes);
    RoutingTable later(nodes);
    kept.KeepDigest();
    for (int i = 0; i < 20; ++i) {
      const std::vector<Assignment> diff = RandomDiff(random);
      kept.Apply(diff);
      later.Apply(diff);
      ASSERT_EQ(kept.Digest(), DigestOf(kept));
    }
    later.KeepDigest();
    EXPECT_EQ(later.Digest(), kept.Digest());
    EXPECT_NE(later.Digest(), VersionDigest());
  }
}

TEST(RoutingTableDigest, IsTheSameForNodesThatNumberNodesOtherwise) {
  NodeTable nodes;
  NodeTable others;
  others.Intern(NodeId("n6"));
  others.Intern(NodeId("n3"));
  RoutingTable table(nodes);
  RoutingTable other(others);
  for (RoutingTable* t : {&table, &other}) {
    t->KeepDigest();
    t->Apply(Many(100, 1));
  }
  EXPECT_NE(nodes.Find("n6"), others.Find("n6"));
  EXPECT_EQ(table.Digest(), other.Digest());
}

TEST(RoutingTableDigest, FollowsAReplacement) {
  NodeTable nodes;
  RoutingTable table(nodes);
  table.KeepDigest();
  table.Apply(Many(100, 5));
  const std::vector<Assignment> older = {Make("s1", "b", 1, 1), Make("t", "c", 1, 1)};
  table.ReplaceForTest(older);
  EXPECT_EQ(table.Digest(), DigestOf(table));
  const std::vector<Assignment> newer = {Make("s1", "b", 1, 2)};
  EXPECT_EQ(table.Apply(newer), 1u);
  EXPECT_EQ(table.Digest(), DigestOf(table));
}

TEST(RoutingTableDigest, AVisitSeesTheSpacesOfItsBuckets) {
  NodeTable nodes;
  RoutingTable table(nodes);
  std::map<std::string, Version> expected;
  VersionDigest::Buckets buckets;
  for (size_t b = 0; b < VersionDigest::kBuckets; b += 3) buckets.set(b);
  for (const Assignment& a : Many(5'000, 3)) {
    table.Apply(std::span(&a, 1));
    if (buckets[VersionDigest::BucketOf(a.space.view())]) expected[a.space.value()] = a.version;
  }
  std::map<std::string, Version> visited;
  table.VisitVersions(buckets, [&](std::string_view space, const RouteVersion& version) {
    EXPECT_TRUE(visited.try_emplace(std::string(space), nodes.ToVersion(version)).second)
        << "twice";
  });
  EXPECT_EQ(visited, expected);
  EXPECT_GT(visited.size(), 1'000u);
}

TEST(RoutingTableDigest, AVisitPassesOverBucketsThatWereTakenOutMeanwhile) {
  NodeTable nodes;
  RoutingTable table(nodes);
  std::set<size_t> used;
  for (const Assignment& a : Many(5'000, 1)) {
    table.Apply(std::span(&a, 1));
    used.insert(VersionDigest::BucketOf(a.space.view()));
  }
  VersionDigest::Buckets buckets;
  buckets.set();
  size_t visited = 0;
  table.VisitVersions(buckets, [&](std::string_view space, const RouteVersion&) {
    ++visited;
    buckets.reset(VersionDigest::BucketOf(space));
  });
  EXPECT_EQ(visited, used.size());
}

// A visit sees each space once, never older than the visit before did, and misses none that was
// there; the table grows meanwhile.
TEST(RoutingTableDigest, AVisitUnderChangeMissesNothingThatWasThere) {
  constexpr size_t kAtFirst = 64;
  constexpr uint64_t kVersions = 300;
  NodeTable nodes;
  RoutingTable table(nodes);
  table.KeepDigest();
  table.Apply(Many(kAtFirst, 1));
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    VersionDigest::Buckets all;
    all.set();
    std::map<std::string, uint64_t> seen;
    while (!stop) {
      std::map<std::string, uint64_t> visited;
      table.VisitVersions(all, [&](std::string_view space, const RouteVersion& version) {
        ASSERT_TRUE(visited.try_emplace(std::string(space), version.sequence).second);
      });
      ASSERT_GE(visited.size(), kAtFirst);
      for (const auto& [space, sequence] : seen) ASSERT_GE(visited[space], sequence);
      seen = std::move(visited);
      ASSERT_NE(table.Digest(), VersionDigest());
    }
  });
  for (uint64_t v = 2; v <= kVersions; ++v) table.Apply(Many(kAtFirst + v, v));
  stop = true;
  reader.join();
  EXPECT_EQ(table.Digest(), DigestOf(table));
}

}  // namespace
}  // namespace engram::routing
