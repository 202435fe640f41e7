#include "engram/membership/relays.h"

#include <gtest/gtest.h>

#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

Relay For(const std::string& origin, TimePoint nack_at) {
  return {origin + ":7946", NodeId(origin), 10, NodeId("target"), nack_at};
}

TEST(Relays, AnAckOfTheTargetEndsOne) {
  Relays relays;
  ASSERT_TRUE(relays.Add(1, For("a", kStart)));
  EXPECT_FALSE(relays.OnAck(2, NodeId("target")).has_value());
  EXPECT_FALSE(relays.OnAck(1, NodeId("another")).has_value());
  const std::optional<Relay> relay = relays.OnAck(1, NodeId("target"));
  ASSERT_TRUE(relay.has_value());
  EXPECT_EQ(relay->asked_by.value(), "a");
  EXPECT_FALSE(relays.OnAck(1, NodeId("target")).has_value());
}

TEST(Relays, WhatIsDueIsTakenOnce) {
  Relays relays;
  EXPECT_EQ(relays.NextDue(), kNever);
  ASSERT_TRUE(relays.Add(1, For("a", kStart + seconds(1))));
  ASSERT_TRUE(relays.Add(2, For("b", kStart + seconds(2))));
  EXPECT_EQ(relays.NextDue(), kStart + seconds(1));
  EXPECT_TRUE(relays.TakeDue(kStart).empty());
  EXPECT_EQ(relays.TakeDue(kStart + seconds(1)).size(), 1u);
  EXPECT_EQ(relays.NextDue(), kStart + seconds(2));
  EXPECT_EQ(relays.TakeDue(kStart + seconds(9)).at(0).asked_by.value(), "b");
  EXPECT_EQ(relays.NextDue(), kNever);
}

TEST(Relays, AreBounded) {
  Relays relays;
  for (uint32_t i = 0; i < Relays::kRelaysMax; ++i) ASSERT_TRUE(relays.Add(i, For("a", kStart)));
  EXPECT_FALSE(relays.Add(5'000, For("a", kStart)));
  EXPECT_EQ(relays.TakeDue(kStart).size(), Relays::kRelaysMax);
  EXPECT_TRUE(relays.Add(5'000, For("a", kStart)));
}

}  // namespace
}  // namespace engram::membership
