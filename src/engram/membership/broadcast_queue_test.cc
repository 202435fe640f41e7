#include "engram/membership/broadcast_queue.h"

#include <gtest/gtest.h>

namespace engram::membership {
namespace {

std::string Fill(BroadcastQueue& queue, size_t size_max, int transmits_max = 10,
                 std::string_view except = {}) {
  std::string datagram;
  queue.Fill(datagram, size_max, transmits_max, except);
  return datagram;
}

TEST(RetransmitsMax, GrowsWithTheLogarithm) {
  EXPECT_EQ(RetransmitsMax(3, 1), 3);
  EXPECT_EQ(RetransmitsMax(3, 5), 6);
  EXPECT_EQ(RetransmitsMax(3, 10), 9);
  EXPECT_EQ(RetransmitsMax(3, 100), 15);
  EXPECT_EQ(RetransmitsMax(3, 1'000), 21);
}

TEST(BroadcastQueue, SendsWhatWasSentLeastFirst) {
  BroadcastQueue queue;
  queue.Push("a", "A");
  queue.Push("b", "B");
  EXPECT_EQ(Fill(queue, 1), "B") << "the newest first";
  EXPECT_EQ(Fill(queue, 1), "A");
  queue.Push("c", "C");
  EXPECT_EQ(Fill(queue, 1), "C");
}

TEST(BroadcastQueue, EachIsSentSoOftenAndNoMore) {
  BroadcastQueue queue;
  queue.Push("a", "A");
  queue.Push("b", "B");
  std::string all;
  for (int i = 0; i < 20; ++i) all += Fill(queue, 1, 3);
  EXPECT_EQ(std::count(all.begin(), all.end(), 'A'), 3);
  EXPECT_EQ(std::count(all.begin(), all.end(), 'B'), 3);
  EXPECT_TRUE(queue.empty());
}

TEST(BroadcastQueue, ANewerWordReplacesTheOlder) {
  BroadcastQueue queue;
  queue.Push("a", "old");
  Fill(queue, 100, 3);
  Fill(queue, 100, 3);
  queue.Push("a", "new");
  EXPECT_EQ(queue.size(), 1u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Fill(queue, 100, 3), "new");
  EXPECT_TRUE(queue.empty());
}

TEST(BroadcastQueue, NeverExceedsTheRoom) {
  BroadcastQueue queue;
  queue.Push("small", "s");
  queue.Push("large", std::string(50, 'l'));
  std::string datagram = "0123456789";
  queue.Fill(datagram, 40, 3);
  EXPECT_EQ(datagram, "0123456789s") << "what does not fit does not keep out what does";
  EXPECT_EQ(Fill(queue, 100), std::string(50, 'l') + "s");
}

TEST(BroadcastQueue, LeavesOutWhatIsInTheDatagramAlready) {
  BroadcastQueue queue;
  queue.Push("a", "A");
  queue.Push("b", "B");
  EXPECT_EQ(Fill(queue, 100, 10, "b"), "A");
}

TEST(BroadcastQueue, DropsAndClears) {
  BroadcastQueue queue;
  queue.Push("a", "A");
  queue.Push("b", "B");
  queue.Drop("b");
  queue.Drop("nobody");
  EXPECT_EQ(Fill(queue, 100), "A");
  queue.Clear();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(Fill(queue, 100), "");
}

}  // namespace
}  // namespace engram::membership
