#include "engram/cluster/assignment_codec.h"

#include <gtest/gtest.h>

#include <string>

#include "engram/routing/route.h"

namespace engram::cluster {
namespace {

using membership::Record;
using placement::Assignment;
using routing::Route;

Assignment Valid() {
  return {SpaceId("notes"),
          NodeId("node-1"),
          {NodeId("node-2"), NodeId("node-3")},
          {{7, NodeId("node-1")}, 42}};
}

// Each way in which an assignment breaks the rules.
std::vector<Assignment> Invalid() {
  std::vector<Assignment> all(8, Valid());
  all[0].space = SpaceId("");
  all[1].space = SpaceId("Not A Name");
  all[2].space = SpaceId(std::string(129, 's'));
  all[3].primary = NodeId("");
  all[4].replicas[1] = NodeId("no/name");
  all[5].replicas[0] = NodeId(std::string(65, 'n'));
  all[6].replicas.assign(Route::kReplicasMax + 1, NodeId("node-2"));
  all[7].version.epoch.primary = NodeId("");
  return all;
}

TEST(AssignmentCodec, WhatComesBackIsWhatWentIn) {
  Assignment alone = Valid();
  alone.replicas.clear();
  Assignment longest = Valid();
  longest.space = SpaceId(std::string(128, 's'));
  longest.primary = NodeId(std::string(64, 'p'));
  longest.replicas.assign(Route::kReplicasMax, NodeId(std::string(64, 'r')));
  longest.version = {{UINT64_MAX, NodeId(std::string(64, 'e'))}, UINT64_MAX};
  for (const Assignment& assignment : {Valid(), alone, longest}) {
    ASSERT_TRUE(CheckAssignment(assignment).ok());
    const Record record = ToRecord(assignment);
    EXPECT_EQ(record.key, assignment.space.value());
    EXPECT_EQ(record.version, assignment.version);
    EXPECT_EQ(ToAssignment(record), assignment);
  }
}

TEST(AssignmentCodec, WhatBreaksTheRulesIsRefusedOnBothSides) {
  for (const Assignment& assignment : Invalid()) {
    EXPECT_FALSE(CheckAssignment(assignment).ok());
    EXPECT_EQ(ToAssignment(ToRecord(assignment)), std::nullopt);
  }
}

TEST(AssignmentCodec, ADamagedValueIsRefused) {
  const Record whole = ToRecord(Valid());
  for (size_t size = 0; size < whole.value.size(); ++size) {
    Record cut = whole;
    cut.value.resize(size);
    EXPECT_EQ(ToAssignment(cut), std::nullopt) << size;
  }
  Record longer = whole;
  longer.value += '\0';
  EXPECT_EQ(ToAssignment(longer), std::nullopt);
  Record foreign = whole;
  foreign.value[0] = 2;
  EXPECT_EQ(ToAssignment(foreign), std::nullopt) << "a format that is not known";
}

}  // namespace
}  // namespace engram::cluster
