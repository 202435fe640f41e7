#include "engram/replication/promise_count.h"

#include <gtest/gtest.h>

namespace engram::replication {
namespace {

const NodeId kA("a");
const NodeId kB("b");
const NodeId kC("c");

Version At(uint64_t counter, uint64_t sequence) { return {{counter, kA}, sequence}; }

TEST(PromiseCount, AppointsNobodyWithoutAMajority) {
  PromiseCount count({kB, kC, kA});
  EXPECT_TRUE(count.Add(kA, At(1, 9)));
  EXPECT_FALSE(count.HasMajority());
  EXPECT_EQ(count.MostCaughtUp(), std::nullopt);
  EXPECT_FALSE(count.Add(kA, At(1, 9))) << "heard twice";
  EXPECT_FALSE(count.Add(NodeId("stranger"), At(1, 9)));
  EXPECT_FALSE(count.HasMajority());
  EXPECT_TRUE(count.Add(kB, At(1, 8)));
  EXPECT_EQ(count.MostCaughtUp(), kA);
}

TEST(PromiseCount, HalfIsNoMajority) {
  PromiseCount two({kA, kB});
  two.Add(kA, At(1, 1));
  EXPECT_FALSE(two.HasMajority());
  PromiseCount one({kA});
  one.Add(kA, At(1, 1));
  EXPECT_EQ(one.MostCaughtUp(), kA);
}

TEST(PromiseCount, ANewerEpochIsFurtherThanALongerTail) {
  PromiseCount count({kA, kB, kC});
  count.Add(kA, At(1, 500));
  count.Add(kB, At(2, 1));
  EXPECT_EQ(count.MostCaughtUp(), kB);
}

TEST(PromiseCount, TheRingDecidesBetweenEquals) {
  PromiseCount count({kC, kA, kB});
  count.Add(kA, At(1, 5));
  count.Add(kB, At(1, 5));
  EXPECT_EQ(count.MostCaughtUp(), kA);
  count.Add(kC, At(1, 5));
  EXPECT_EQ(count.MostCaughtUp(), kC);
}

TEST(PromiseCount, WhoHasForgottenCountsOnlyWithAllOthers) {
  PromiseCount count({kA, kB, kC});
  count.Add(kA, At(1, 5));
  EXPECT_TRUE(count.Add(kB, Version(), CopyState::kForgetful));
  EXPECT_FALSE(count.Add(kB, Version(), CopyState::kForgetful)) << "heard twice";
  EXPECT_FALSE(count.HasMajority());
  count.Add(kC, Version(), CopyState::kForgetful);
  EXPECT_EQ(count.MostCaughtUp(kB), kA);

  PromiseCount nothing({kA, kB});
  nothing.Add(kA, Version(), CopyState::kForgetful);
  nothing.Add(kB, Version(), CopyState::kBehind);
  EXPECT_EQ(nothing.MostCaughtUp(), std::nullopt);
}

TEST(PromiseCount, WhoIsBehindHelpsAnotherToOffice) {
  PromiseCount count({kA, kB, kC});
  count.Add(kB, At(1, 5), CopyState::kBehind);
  EXPECT_FALSE(count.HasMajority());
  count.Add(kA, At(1, 5));
  EXPECT_EQ(count.MostCaughtUp(kB), kA);
}

// What it has confirmed, with one who is not heard, may be nowhere else.
TEST(PromiseCount, WhoIsBehindHelpsNobodyWhoHasLessThanItHad) {
  PromiseCount count({kA, kB, kC});
  count.Add(kB, At(1, 6), CopyState::kBehind);
  count.Add(kA, At(1, 5));
  EXPECT_EQ(count.MostCaughtUp(), std::nullopt);
  count.Add(kC, At(2, 1));
  EXPECT_EQ(count.MostCaughtUp(), kC);
}

TEST(PromiseCount, OfThoseWhoAreBehindSomeMayCount) {
  const NodeId d("d");
  const NodeId e("e");
  PromiseCount count({kA, kB, kC, d, e});
  count.Add(kA, At(1, 5));
  count.Add(kB, At(1, 9), CopyState::kBehind);
  count.Add(kC, At(1, 4), CopyState::kBehind);
  EXPECT_EQ(count.MostCaughtUp(), std::nullopt);
  count.Add(d, At(1, 2));
  EXPECT_EQ(count.MostCaughtUp(), kA);
}

TEST(PromiseCount, AnEmptyLogIsTheLeastCaughtUp) {
  PromiseCount count({kA, kB, kC});
  count.Add(kA, Version());
  count.Add(kC, At(1, 1));
  EXPECT_EQ(count.MostCaughtUp(), kC);
}

}  // namespace
}  // namespace engram::replication
