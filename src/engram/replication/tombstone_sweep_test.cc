#include "engram/replication/tombstone_sweep.h"

#include <gtest/gtest.h>

namespace engram::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Epoch kEpoch{1, NodeId("a")};

Version At(uint64_t sequence) { return {kEpoch, sequence}; }

class TombstoneSweepTest : public ::testing::Test {
 protected:
  TombstoneSweepTest() {
    GrowTo(10);
    sweep_.Restart(start_);
  }

  void GrowTo(uint64_t sequence) {
    while (log_.last().sequence < sequence) {
      const Version position = At(log_.last().sequence + 1);
      log_.history.Append(position);
      log_.logged.Add(position);
    }
  }
  bool IsDue(uint64_t held) { return sweep_.IsDue(log_, At(held), now_); }
  TimePoint NextWake(uint64_t held) { return sweep_.NextWake(log_.last(), At(held)); }

  const TimePoint start_{seconds(1'000)};
  TimePoint now_ = start_;
  SpaceLog log_;
  TombstoneSweep sweep_{SweepOptions()};
};

TEST_F(TombstoneSweepTest, BeginsWhenAllHoldersHaveWhatStoodInTheLogWhenItMarkedIt) {
  EXPECT_FALSE(IsDue(9));
  GrowTo(20);
  EXPECT_FALSE(IsDue(9));
  EXPECT_EQ(NextWake(9), kNever) << "a confirmation wakes it";
  EXPECT_LE(NextWake(10), now_);
  EXPECT_TRUE(IsDue(10));
  EXPECT_EQ(sweep_.confirmed().SequenceOf(kEpoch), 10u) << "not what has come since";
}

TEST_F(TombstoneSweepTest, NothingIsConfirmedWhereNothingCounts) {
  EXPECT_FALSE(sweep_.IsDue(log_, Version(), now_));
  EXPECT_FALSE(sweep_.IsDue(log_, Version(), now_ + std::chrono::hours(1)));
}

TEST_F(TombstoneSweepTest, WaitsForItsTime) {
  sweep_.Restart(start_ + seconds(30));
  EXPECT_EQ(NextWake(10), start_ + seconds(30));
  EXPECT_FALSE(IsDue(10));
  now_ += seconds(30);
  EXPECT_TRUE(IsDue(10));
}

TEST_F(TombstoneSweepTest, GoesOnPieceByPieceAtItsPace) {
  ASSERT_TRUE(IsDue(10));
  EXPECT_EQ(sweep_.after(), "");
  sweep_.GoOnAfter("m7", now_);
  EXPECT_FALSE(IsDue(10));
  EXPECT_EQ(NextWake(10), now_ + milliseconds(100));
  now_ += milliseconds(100);
  GrowTo(20);
  ASSERT_TRUE(IsDue(10)) << "also while the log grows";
  EXPECT_EQ(sweep_.after(), "m7");
  EXPECT_EQ(sweep_.confirmed().SequenceOf(kEpoch), 10u);
}

TEST_F(TombstoneSweepTest, RestsUntilTheLogHasGrown) {
  ASSERT_TRUE(IsDue(10));
  sweep_.End(start_ + seconds(60));
  EXPECT_EQ(NextWake(10), kNever);
  now_ += std::chrono::hours(1);
  EXPECT_FALSE(IsDue(10));
  GrowTo(11);
  EXPECT_EQ(NextWake(10), start_ + seconds(60));
  EXPECT_TRUE(IsDue(11));
  EXPECT_EQ(sweep_.after(), "");
}

TEST_F(TombstoneSweepTest, WhatAFormerEpochHasConfirmedIsWorthNothing) {
  ASSERT_TRUE(IsDue(10));
  sweep_.GoOnAfter("m7", now_);
  sweep_.Restart(start_ + seconds(60));
  now_ += seconds(30);
  EXPECT_FALSE(IsDue(10));
}

}  // namespace
}  // namespace engram::replication
