#include "engram/routing/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace engram::routing {
namespace {

using placement::Assignment;
using testing::ElementsAre;

const NodeId kA("a"), kB("b"), kC("c"), kD("d");

Assignment HeldBy(const NodeId& primary, std::vector<NodeId> replicas) {
  return {SpaceId("s"), primary, std::move(replicas), {{1, primary}, 1}};
}

TEST(Decide, AWriteGoesToThePrimaryOnly) {
  Assignment assignment = HeldBy(kA, {kB, kC});
  Decision decision = Decide(Operation::kStore, &assignment, kA, kD);
  EXPECT_EQ(decision.strategy, Strategy::kPrimary);
  EXPECT_THAT(decision.candidates, ElementsAre(kA));
  EXPECT_EQ(decision.version, assignment.version);
}

TEST(Decide, AReadFallsBackToTheReplicas) {
  Assignment assignment = HeldBy(kA, {kB, kC});
  Decision decision = Decide(Operation::kRecall, &assignment, kA, kD);
  EXPECT_EQ(decision.strategy, Strategy::kPrimaryWithFallback);
  EXPECT_THAT(decision.candidates, ElementsAre(kA, kB, kC));
}

TEST(Decide, AReplicaReadsLocallyButDoesNotWrite) {
  Assignment assignment = HeldBy(kA, {kB});
  EXPECT_EQ(Decide(Operation::kGet, &assignment, kA, kB).strategy, Strategy::kLocal);
  EXPECT_EQ(Decide(Operation::kForget, &assignment, kA, kB).strategy, Strategy::kPrimary);
}

TEST(Decide, AnUnknownSpaceGoesToTheRingsFirstHolder) {
  Decision remote = Decide(Operation::kStore, nullptr, kA, kB);
  EXPECT_EQ(remote.source, RouteSource::kRing);
  EXPECT_THAT(remote.candidates, ElementsAre(kA));
  EXPECT_EQ(Decide(Operation::kStore, nullptr, kA, kA).strategy, Strategy::kLocal);
}

TEST(Decide, TheAssignmentWinsOverTheRing) {
  Assignment assignment = HeldBy(kB, {});
  EXPECT_THAT(Decide(Operation::kStore, &assignment, kA, kA).candidates, ElementsAre(kB));
}

TEST(CheckOwnership, OnlyAStoreAtTheProposedNodeCreates) {
  EXPECT_EQ(CheckOwnership(Operation::kStore, nullptr, kA, kA), Ownership::kCreate);
  EXPECT_EQ(CheckOwnership(Operation::kStore, nullptr, kA, kB), Ownership::kNotHere);
  EXPECT_EQ(CheckOwnership(Operation::kGet, nullptr, kA, kA), Ownership::kNotHere);
}

TEST(CheckOwnership, AHolderServesAndOthersSayWhoDoes) {
  Assignment assignment = HeldBy(kA, {kB});
  EXPECT_EQ(CheckOwnership(Operation::kStore, &assignment, kA, kA), Ownership::kServe);
  EXPECT_EQ(CheckOwnership(Operation::kGet, &assignment, kA, kB), Ownership::kServe);
  EXPECT_EQ(CheckOwnership(Operation::kStore, &assignment, kA, kB), Ownership::kWrongNode);
  EXPECT_EQ(CheckOwnership(Operation::kGet, &assignment, kA, kC), Ownership::kWrongNode);
}

}  // namespace
}  // namespace engram::routing
