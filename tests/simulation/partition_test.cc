// SPEC R12: a node that is cut off from the majority routes to itself only, and says so.
#include <gtest/gtest.h>

#include "simulation/sim_cluster.h"

namespace engram::simulation {
namespace {

using routing::Operation;

class Partition : public testing::Test {
 protected:
  Partition() {
    cluster_.Place("here", 0, {1});
    cluster_.Place("there", 2);
    cluster_.node(0).table().Apply(cluster_.HistoryOf("there"));
    cluster_.node(0).reach() = {true, 1, 5};
  }
  Answer Ask(Operation op, const std::string& space) {
    std::optional<Answer> answer;
    cluster_.Ask(0, op, space, [&](const Answer& a) { answer = a; });
    cluster_.scheduler().Run();
    return answer.value();
  }
  SimCluster cluster_{SimOptions{}};
};

TEST_F(Partition, LocalOnlyDuringPartition) {
  for (Operation op : {Operation::kStore, Operation::kGet}) {
    Answer own = Ask(op, "here");
    EXPECT_TRUE(own.status.ok());
    EXPECT_TRUE(own.degraded);
    EXPECT_EQ(CodeOf(Ask(op, "there").status), ErrorCode::kNoLocalData);
    EXPECT_EQ(CodeOf(Ask(op, "unknown").status), ErrorCode::kNoLocalData);
  }
  EXPECT_EQ(cluster_.network().sent(), 0u) << "nobody else is asked";
}

TEST_F(Partition, AfterTheHealNormalRoutingResumes) {
  cluster_.node(0).reach() = {false, 5, 5};
  Answer own = Ask(Operation::kGet, "here");
  EXPECT_FALSE(own.degraded);
  EXPECT_TRUE(Ask(Operation::kGet, "there").status.ok());
}

}  // namespace
}  // namespace engram::simulation
