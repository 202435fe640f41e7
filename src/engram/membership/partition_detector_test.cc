#include "engram/membership/partition_detector.h"

#include <gtest/gtest.h>

#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

class Partition : public testing::Test {
 protected:
  PartitionState After(Duration length, size_t reachable, size_t total) {
    now_ += length;
    detector_.Update({reachable, total}, now_);
    return detector_.state();
  }

  TimePoint now_ = kStart;
  PartitionDetector detector_;
};

TEST_F(Partition, AMajorityIsMoreThanHalf) {
  for (const auto& [reachable, total, cut_off] : {std::tuple<size_t, size_t, bool>{1, 1, false},
                                                  {1, 2, true},
                                                  {2, 3, false},
                                                  {1, 3, true},
                                                  {2, 4, true},
                                                  {3, 4, false},
                                                  {2, 5, true},
                                                  {3, 5, false}}) {
    PartitionDetector detector;
    detector.Update({reachable, total}, kStart);
    detector.Update({reachable, total}, kStart + seconds(60));
    EXPECT_EQ(detector.LocalOnly(), cut_off) << reachable << " of " << total;
  }
}

TEST_F(Partition, WhoStartsIsCutOffUntilThereIsAMajorityAndThenAtOnceConnected) {
  detector_ = PartitionDetector({}, PartitionState::kStarting);
  EXPECT_TRUE(detector_.LocalOnly());
  EXPECT_EQ(After({}, 1, 3), PartitionState::kStarting);
  EXPECT_EQ(After(seconds(3'600), 1, 3), PartitionState::kStarting);
  EXPECT_EQ(detector_.NextWake(), kNever);
  EXPECT_EQ(After({}, 2, 3), PartitionState::kConnected);
  EXPECT_EQ(After(seconds(3), 1, 3), PartitionState::kConnected);
  EXPECT_EQ(After(seconds(3), 1, 3), PartitionState::kPartitioned);
}

TEST_F(Partition, OnlyTheWholeWindowWithoutAMajorityIsAPartition) {
  EXPECT_EQ(After({}, 1, 3), PartitionState::kConnected);
  EXPECT_EQ(detector_.NextWake(), now_ + seconds(3));
  EXPECT_EQ(After(milliseconds(2'999), 1, 3), PartitionState::kConnected);
  EXPECT_EQ(After(milliseconds(1), 1, 3), PartitionState::kPartitioned);
  EXPECT_EQ(detector_.NextWake(), kNever);
}

TEST_F(Partition, AMomentWithAMajorityBeginsTheWindowAnew) {
  After({}, 1, 3);
  EXPECT_EQ(After(seconds(2), 2, 3), PartitionState::kConnected);
  EXPECT_EQ(detector_.NextWake(), kNever);
  EXPECT_EQ(After(seconds(2), 1, 3), PartitionState::kConnected);
  EXPECT_EQ(After(seconds(2), 1, 3), PartitionState::kConnected);
  EXPECT_EQ(After(seconds(1), 1, 3), PartitionState::kPartitioned);
}

TEST_F(Partition, HealsForTenSeconds) {
  After({}, 1, 3);
  After(seconds(3), 1, 3);
  EXPECT_EQ(After(seconds(5), 3, 3), PartitionState::kHealing);
  EXPECT_TRUE(detector_.LocalOnly());
  EXPECT_EQ(detector_.NextWake(), now_ + seconds(10));
  EXPECT_EQ(After(milliseconds(9'999), 2, 3), PartitionState::kHealing);
  EXPECT_EQ(After(milliseconds(1), 2, 3), PartitionState::kConnected);
  EXPECT_FALSE(detector_.LocalOnly());
}

TEST_F(Partition, ARelapseWhileHealingIsAtOnceAPartitionAgain) {
  After({}, 1, 3);
  After(seconds(3), 1, 3);
  After(seconds(5), 3, 3);
  EXPECT_EQ(After(seconds(9), 1, 3), PartitionState::kPartitioned);
  EXPECT_EQ(After(seconds(1), 3, 3), PartitionState::kHealing);
  EXPECT_EQ(After(seconds(9), 3, 3), PartitionState::kHealing) << "all ten seconds again";
}

TEST_F(Partition, TellsOnceOfEachChange) {
  EXPECT_FALSE(detector_.Update({1, 3}, kStart));
  EXPECT_TRUE(detector_.Update({1, 3}, kStart + seconds(3)));
  EXPECT_FALSE(detector_.Update({1, 3}, kStart + seconds(4)));
  EXPECT_TRUE(detector_.Update({2, 3}, kStart + seconds(5)));
  EXPECT_EQ(detector_.reach(), (Reach{2, 3}));
}

}  // namespace
}  // namespace engram::membership
