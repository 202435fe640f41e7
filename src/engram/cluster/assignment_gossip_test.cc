// Two and more routing tables that gossip keeps equal.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <thread>
#include <vector>

#include "engram/cluster/testing/comparison.h"

namespace engram::cluster {
namespace {

using placement::Assignment;

constexpr size_t kMany = 100'000;

// One version has one value.
Assignment Make(size_t space, uint64_t counter, uint64_t sequence = 1) {
  const NodeId primary(fmt::format("node-{}", (space + counter) % 9));
  Assignment assignment{
      SpaceId(fmt::format("space-{:06}", space)), primary, {}, {{counter, primary}, sequence}};
  for (uint64_t r = 1; r <= 2; ++r) {
    assignment.replicas.emplace_back(fmt::format("node-{}", (space + counter + r) % 9));
  }
  return assignment;
}

void Fill(GossipedTable& node, size_t spaces) {
  std::vector<Assignment> all;
  for (size_t s = 0; s < spaces; ++s) all.push_back(Make(s, 1));
  ASSERT_EQ(node.table.Apply(all), spaces);
}

void ExpectEqual(const GossipedTable& one, const GossipedTable& other) {
  EXPECT_EQ(one.table.Digest(), other.table.Digest());
  EXPECT_EQ(one.table.All(), other.table.All());
}

// Some tables and what is to become of them, driven by bytes that stand for what happens.
class Cluster {
 public:
  static constexpr size_t kNodes = 3;
  using Step = std::array<uint8_t, 6>;

  void Take(const Step& step) {
    GossipedTable& node = nodes_[step[1] % kNodes];
    GossipedTable& other = nodes_[(step[1] + 1 + step[2] % (kNodes - 1)) % kNodes];
    switch (step[0] % 6) {
      case 0:
        node.Put(Changed(step));
        break;
      case 1:
        node.Apply(Changed(step));
        break;
      case 2:
      case 3: {
        std::string news;
        node.gossip.Fill(news, 1'400, kNodes);
        if (step[5] % 4 == 0) break;  // lost
        const bool whole = step[5] % 4 != 1;
        const std::string heard = whole ? news : news.substr(0, news.size() / 2);
        EXPECT_TRUE(other.gossip.Hear(heard).ok() || !whole);
        break;
      }
      default:
        Traffic traffic;
        Step change = step;
        CompareOnce(node, other, traffic, [&] {
          ++change[4];
          (change[4] % 2 == 0 ? node : other).Apply(Changed(change));
        });
    }
  }
  void CompareAll() {
    for (int twice = 0; twice < 2; ++twice) {
      for (size_t i = 1; i < kNodes; ++i) Compare(nodes_[i], nodes_[0]);
    }
  }
  bool AllAreTheNewest() const {
    std::vector<Assignment> expected;
    for (const auto& [space, assignment] : newest_) expected.push_back(assignment);
    for (const GossipedTable& node : nodes_) {
      if (node.table.All() != expected) return false;
      if (node.table.Digest() != nodes_[0].table.Digest()) return false;
    }
    return true;
  }

 private:
  Assignment Changed(const Step& step) {
    Assignment assignment = Make(step[3] % 12, step[4] % 7, step[5] % 3);
    auto [known, is_new] = newest_.try_emplace(assignment.space, assignment);
    if (known->second.version < assignment.version) known->second = assignment;
    return assignment;
  }

  std::deque<GossipedTable> nodes_{kNodes};
  std::map<SpaceId, Assignment> newest_;
};

RC_GTEST_PROP(AssignmentGossip, WhateverHappensComparisonsMakeAllTablesTheNewest, ()) {
  const auto steps = *rc::gen::container<std::vector<Cluster::Step>>(
      rc::gen::container<Cluster::Step>(rc::gen::arbitrary<uint8_t>()));
  Cluster cluster;
  for (const Cluster::Step& step : steps) cluster.Take(step);
  cluster.CompareAll();
  RC_ASSERT(cluster.AllAreTheNewest());
}

TEST(AssignmentGossip, EqualTablesCostADigestAndThreeBytes) {
  GossipedTable one;
  GossipedTable other;
  Fill(one, 1'000);
  Fill(other, 1'000);
  const Traffic traffic = Compare(one, other);
  EXPECT_EQ(traffic.rounds, 1u);
  EXPECT_EQ(traffic.bytes, 1 + VersionDigest::kBuckets * sizeof(uint64_t) + 3);
}

// A bucket of 100,000 spaces has 98 of them, hardly ever more than 150, each at some 25 bytes; and
// a difference costs its record of some 60 bytes, and its key if it is the asking side's.
TEST(AssignmentGossip, ADifferenceCostsItsBucketAndItsRecord) {
  constexpr size_t kBucketBytes = 150 * 25;
  constexpr size_t kRecordBytes = 90;
  GossipedTable one;
  GossipedTable other;
  Fill(one, kMany);
  Fill(other, kMany);
  uint64_t counter = 1;
  for (const size_t k : {1, 10, 100, 1'000, 10'000}) {
    ++counter;
    for (size_t i = 0; i < k; ++i) {
      (i % 2 == 0 ? one : other).Apply(Make(i * (kMany / k), counter));
    }
    const Traffic traffic = Compare(one, other);
    fmt::print("{} of {} spaces differ: {} rounds, {} bytes\n", k, kMany, traffic.rounds,
               traffic.bytes);
    const size_t digests = traffic.rounds * 9'000;
    const size_t differing = std::min(k, VersionDigest::kBuckets) * kBucketBytes;
    EXPECT_LE(traffic.bytes, digests + differing * (k > 1'000 ? 2 : 1) + k * kRecordBytes);
    EXPECT_LE(traffic.message_bytes_max, size_t{1} << 20);
    ExpectEqual(one, other);
  }
}

TEST(AssignmentGossip, AJoiningNodeGetsAHundredThousandSpaces) {
  GossipedTable seed;
  GossipedTable joining;
  Fill(seed, kMany);
  joining.Put(Make(kMany, 1));
  const Traffic traffic = Compare(joining, seed);
  fmt::print("a joining node gets {} spaces in {} rounds, {} bytes\n", kMany, traffic.rounds,
             traffic.bytes);
  ExpectEqual(seed, joining);
  EXPECT_EQ(joining.table.size(), kMany + 1);
  EXPECT_EQ(joining.gossip.TakeLearnt().size(), kMany);
  EXPECT_LE(traffic.rounds, 20u);
  EXPECT_LE(traffic.bytes, 20u << 20);
  EXPECT_LE(traffic.message_bytes_max, size_t{1} << 20);
}

// Requests change both tables while they are compared; what a comparison misses, the next one
// finds.
TEST(AssignmentGossip, ChangesDuringComparisonsAreNotLost) {
  constexpr uint64_t kVersions = 30;
  constexpr size_t kSpaces = 2'000;
  GossipedTable one;
  GossipedTable other;
  std::atomic<int> writing = 2;
  std::vector<std::thread> requests;
  for (GossipedTable* node : {&one, &other}) {
    requests.emplace_back([&, node] {
      for (uint64_t counter = 1; counter <= kVersions; ++counter) {
        for (size_t s = 0; s < kSpaces; ++s) {
          // Each space's newest versions turn up at either.
          if ((s + counter) % 2 == (node == &one ? 0 : 1)) node->Apply(Make(s, counter));
        }
      }
      --writing;
    });
  }
  Traffic traffic;
  while (writing > 0) CompareOnce(one, other, traffic, [] {});
  for (std::thread& thread : requests) thread.join();
  Compare(one, other);
  ExpectEqual(one, other);
  for (size_t s = 0; s < kSpaces; ++s) {
    ASSERT_EQ(one.table.FindAssignment(Make(s, 1).space.view()), Make(s, kVersions));
  }
}

}  // namespace
}  // namespace engram::cluster
