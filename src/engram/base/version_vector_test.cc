#include "engram/base/version_vector.h"

#include <gtest/gtest.h>

namespace engram {
namespace {

const Epoch kA{1, NodeId("a")};
const Epoch kB{1, NodeId("b")};
const Epoch kC{2, NodeId("a")};

TEST(VersionVectorTest, CoversWhatCameBeforeInTheSameStream) {
  const VersionVector seen({{kA, 5}});
  EXPECT_TRUE(seen.Covers(Version{kA, 5}));
  EXPECT_TRUE(seen.Covers(Version{kA, 1}));
  EXPECT_FALSE(seen.Covers(Version{kA, 6}));
  EXPECT_FALSE(seen.Covers(Version{kB, 1}));
  EXPECT_FALSE(seen.Covers(Version{kC, 1}));
  EXPECT_FALSE(seen.Covers(Version{kA, 0})) << "no change has that number";
}

TEST(VersionVectorTest, JoinTakesTheNewestOfEachStream) {
  VersionVector one({{kA, 5}, {kB, 1}});
  const VersionVector other({{kA, 3}, {kB, 2}, {kC, 9}});
  VersionVector swapped = other;
  swapped.Join(one);
  one.Join(other);
  EXPECT_EQ(one, VersionVector({{kA, 5}, {kB, 2}, {kC, 9}}));
  EXPECT_EQ(one, swapped);
  EXPECT_TRUE(one.Covers(other));
  EXPECT_FALSE(other.Covers(one));
}

TEST(VersionVectorTest, AddNeverGoesBackAndSetDoes) {
  VersionVector seen({{kA, 5}});
  seen.Add({kA, 3});
  EXPECT_EQ(seen.SequenceOf(kA), 5U);
  seen.Set({kA, 3});
  EXPECT_EQ(seen.SequenceOf(kA), 3U);
  seen.Set({kA, 0});
  EXPECT_TRUE(seen.empty());
  seen.Set({kB, 0});
  EXPECT_TRUE(seen.empty());
}

TEST(VersionVectorTest, RowsAscend) {
  const VersionVector seen({{kC, 1}, {kA, 2}, {kB, 3}});
  EXPECT_EQ(seen.rows(), (std::vector<Version>{{kA, 2}, {kB, 3}, {kC, 1}}));
}

}  // namespace
}  // namespace engram
