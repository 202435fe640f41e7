#include "engram/cluster/assignment_records.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "engram/cluster/testing/gossiped_table.h"

namespace engram::cluster {
namespace {

using membership::Record;
using placement::Assignment;
using testing::ElementsAre;
using testing::IsEmpty;

Assignment Make(const std::string& space, uint64_t counter, const std::string& primary = "node-1") {
  return {SpaceId(space), NodeId(primary), {NodeId("node-2")}, {{counter, NodeId(primary)}, 1}};
}

std::map<std::string, Version> Visited(const AssignmentRecords& records) {
  std::map<std::string, Version> visited;
  records.VisitVersions(
      AssignmentRecords::Buckets().set(),
      [&](std::string_view key, const Version& version) { visited[std::string(key)] = version; });
  return visited;
}

class AssignmentRecordsTest : public testing::Test {
 protected:
  GossipedTable node_;
};

TEST_F(AssignmentRecordsTest, WhatGossipAppliesRequestsAreRoutedBy) {
  const std::vector<Record> batch = {ToRecord(Make("a", 1)), ToRecord(Make("b", 2))};
  EXPECT_THAT(node_.records.Apply(batch), ElementsAre(0, 1));
  EXPECT_EQ(node_.table.FindAssignment("b"), Make("b", 2));
  EXPECT_EQ(node_.records.refused(), 0u);
}

TEST_F(AssignmentRecordsTest, WhatRequestsLearnGossipFinds) {
  const VersionDigest before = node_.records.VersionsDigest();
  node_.Apply(Make("a", 1));
  EXPECT_EQ(node_.records.Find("a"), ToRecord(Make("a", 1)));
  EXPECT_EQ(node_.records.Find("b"), std::nullopt);
  EXPECT_NE(node_.records.VersionsDigest(), before);
  EXPECT_EQ(Visited(node_.records),
            (std::map<std::string, Version>{{"a", {{1, NodeId("node-1")}, 1}}}));
}

TEST_F(AssignmentRecordsTest, WhatTheTableHadBeforeIsInTheDigest) {
  routing::NodeTable nodes;
  routing::RoutingTable table(nodes);
  const Assignment a = Make("a", 1);
  table.Apply(std::span(&a, 1));
  node_.Apply(a);
  EXPECT_EQ(AssignmentRecords(table, nodes).VersionsDigest(), node_.records.VersionsDigest());
}

TEST_F(AssignmentRecordsTest, SaysWhichOfALargeBatchWereNewer) {
  std::vector<Record> batch;
  std::vector<size_t> expected;
  for (size_t i = 0; i < 1'000; ++i) {
    const Assignment assignment = Make(fmt::format("s{}", i), 5);
    batch.push_back(ToRecord(assignment));
    if (i % 3 == 0) node_.Apply(assignment);
    if (i % 3 == 1) batch.back().value = "damaged";
    if (i % 3 == 2) expected.push_back(i);
  }
  EXPECT_EQ(node_.records.Apply(batch), expected);
  EXPECT_EQ(node_.records.refused(), 333u);
  EXPECT_EQ(node_.table.size(), 667u);
}

TEST_F(AssignmentRecordsTest, DamagedAndHostileRecordsAreCountedAndNeverApplied) {
  std::vector<Record> batch(5, ToRecord(Make("a", 9)));
  batch[0].value.clear();
  batch[1].value.pop_back();
  batch[2].key = "No Such Name";
  batch[3].version.epoch.primary = NodeId("");
  Assignment many = Make("a", 9);
  many.replicas.assign(routing::Route::kReplicasMax + 1, NodeId("node-2"));
  batch[4] = ToRecord(many);
  EXPECT_THAT(node_.records.Apply(batch), IsEmpty());
  EXPECT_EQ(node_.records.refused(), batch.size());
  EXPECT_EQ(node_.table.size(), 0u);
  EXPECT_EQ(node_.nodes.size(), 0u) << "what is refused leaves no trace";
}

// Else a node that believes everything could be ended by anybody.
TEST_F(AssignmentRecordsTest, AssignmentsThatNameEverMoreNodesAreRefusedInTheEnd) {
  std::vector<Record> batch;
  for (size_t i = 0; i < AssignmentRecords::kNodesMax + 5'000; ++i) {
    batch.push_back(ToRecord(Make(fmt::format("s{}", i), 1, fmt::format("made-up-{}", i))));
  }
  const size_t applied = node_.records.Apply(batch).size();
  EXPECT_LT(node_.nodes.size(), AssignmentRecords::kNodesMax + 1'000);
  EXPECT_EQ(applied + node_.records.refused(), batch.size());
  EXPECT_GT(node_.records.refused(), 4'000u);
  const Record known = ToRecord(Make("s1", 2, "made-up-1"));
  EXPECT_THAT(node_.records.Apply(std::span(&known, 1)), ElementsAre(0)) << "it names known nodes";
}

TEST_F(AssignmentRecordsTest, WhatOthersWouldRefuseIsNotSent) {
  Assignment unnamed = Make("a", 1);
  unnamed.version.epoch.primary = NodeId("");
  node_.Apply(unnamed);
  node_.Apply(Make("No Such Name", 1));
  Assignment odd_replica = Make("b", 1);
  odd_replica.replicas = {NodeId("no/name")};
  node_.Apply(odd_replica);
  node_.Apply(Make("good", 1));
  EXPECT_EQ(node_.records.Find("a"), std::nullopt);
  EXPECT_EQ(node_.records.Find("b"), std::nullopt);
  GossipedTable other;
  const std::string versions = node_.gossip.Compare(other.gossip.Digest()).value();
  const auto settlement = other.gossip.Settle(versions).value();
  ASSERT_TRUE(other.gossip.Take(node_.gossip.Complete(settlement.message).value()).ok());
  EXPECT_THAT(other.table.All(), ElementsAre(Make("good", 1)));
  EXPECT_EQ(other.records.refused(), 0u);
}

TEST_F(AssignmentRecordsTest, GossipSaysWhatIsToBeWrittenToDisk) {
  GossipedTable other;
  other.Put(Make("a", 1));
  other.Put(Make("b", 1));
  node_.Put(Make("b", 2));
  std::string news;
  other.gossip.Fill(news, 1'400, 5);
  ASSERT_TRUE(node_.gossip.Hear(news).ok());
  EXPECT_THAT(node_.gossip.TakeLearnt(), ElementsAre(ToRecord(Make("a", 1))));
  EXPECT_THAT(node_.gossip.TakeLearnt(), IsEmpty());
}

}  // namespace
}  // namespace engram::cluster
