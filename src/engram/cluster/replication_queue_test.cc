#include "engram/cluster/replication_queue.h"

#include <gtest/gtest.h>

namespace engram::cluster {
namespace {

using Kind = ReplicationQueue::Kind;
namespace r = replication;

TEST(ReplicationQueue, OnlyEntriesAndOffersMayWait) {
  EXPECT_EQ(ReplicationQueue::KindOf(r::Entries()), Kind::kBulk);
  EXPECT_EQ(ReplicationQueue::KindOf(r::Offer()), Kind::kBulk);
  EXPECT_EQ(ReplicationQueue::KindOf(r::Lineage()), Kind::kControl);
  EXPECT_EQ(ReplicationQueue::KindOf(r::Confirm()), Kind::kControl);
  EXPECT_EQ(ReplicationQueue::KindOf(r::FailoverMessage(r::Heartbeat())), Kind::kControl);
}

TEST(ReplicationQueue, WhatIsUrgentGoesFirstTheRestInOrder) {
  ReplicationQueue queue(100);
  queue.Push(Kind::kBulk, "e1");
  queue.Push(Kind::kBulk, "e2");
  queue.Push(Kind::kControl, "h1");
  queue.Push(Kind::kControl, "h2");
  const ReplicationQueue::Batch batch = queue.Take(100);
  EXPECT_EQ(batch.bytes, "h1h2e1e2");
  EXPECT_EQ(batch.messages, 4u);
  EXPECT_TRUE(queue.empty());
}

TEST(ReplicationQueue, ABatchIsBoundedButNeverEmpty) {
  ReplicationQueue queue(1000);
  queue.Push(Kind::kBulk, std::string(50, 'a'));
  queue.Push(Kind::kBulk, std::string(8, 'b'));
  queue.Push(Kind::kBulk, std::string(2, 'c'));
  queue.Push(Kind::kBulk, "d");
  EXPECT_EQ(queue.Take(10).bytes.size(), 50u) << "larger than a batch";
  EXPECT_EQ(queue.Take(10).bytes, "bbbbbbbbcc");
  EXPECT_EQ(queue.Take(10).bytes, "d");
  EXPECT_TRUE(queue.empty());
}

TEST(ReplicationQueue, AtTheBoundTheOldestEntriesGoFirst) {
  ReplicationQueue queue(10);
  EXPECT_EQ(queue.Push(Kind::kControl, "hh"), 0u);
  EXPECT_EQ(queue.Push(Kind::kBulk, "aaaa"), 0u);
  EXPECT_EQ(queue.Push(Kind::kBulk, "bbbb"), 0u);
  EXPECT_EQ(queue.Push(Kind::kBulk, "cccc"), 1u);
  EXPECT_EQ(queue.bytes(), 10u);
  EXPECT_EQ(queue.Take(100).bytes, "hhbbbbcccc");
}

TEST(ReplicationQueue, WithoutEntriesTheOldestGoesFirst) {
  ReplicationQueue queue(4);
  queue.Push(Kind::kControl, "h1");
  queue.Push(Kind::kControl, "h2");
  EXPECT_EQ(queue.Push(Kind::kControl, "h3"), 1u);
  EXPECT_EQ(queue.Take(100).bytes, "h2h3");
}

TEST(ReplicationQueue, WhatIsLargerThanTheBoundIsNotKept) {
  ReplicationQueue queue(4);
  EXPECT_EQ(queue.Push(Kind::kBulk, "large"), 1u);
  EXPECT_TRUE(queue.empty());
  queue.Push(Kind::kControl, "h");
  queue.Push(Kind::kBulk, "e");
  EXPECT_EQ(queue.Clear(), 2u);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace engram::cluster
