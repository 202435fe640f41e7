#include "engram/routing/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace engram::routing {
namespace {

using testing::ElementsAre;

class ClaimsTest : public testing::Test {
 protected:
  Route Held(uint64_t counter, NodeIndex primary, std::initializer_list<NodeIndex> replicas = {}) {
    Route route;
    route.version = {counter, 1, primary};
    route.primary = primary;
    for (NodeIndex replica : replicas) route.replica[route.replica_count++] = replica;
    return route;
  }

  NodeTable nodes_;
  NodeIndex a_ = nodes_.Intern(NodeId("a"));
  NodeIndex b_ = nodes_.Intern(NodeId("b"));
  NodeIndex c_ = nodes_.Intern(NodeId("c"));
  Claims claims_{nodes_, 3};
};

TEST_F(ClaimsTest, NobodyHoldsIt) {
  claims_.Add(a_, std::nullopt, true);
  EXPECT_FALSE(claims_.result().claim.has_value());
  EXPECT_EQ(claims_.result().asked, 3u);
  EXPECT_EQ(claims_.result().answered, 1u);
}

TEST_F(ClaimsTest, TheNewestPrimaryIsTheOneInWhateverOrderTheyAnswer) {
  Claims reversed(nodes_, 2);
  claims_.Add(a_, Held(1, a_), true);
  claims_.Add(b_, Held(2, b_, {c_}), true);
  reversed.Add(b_, Held(2, b_, {c_}), true);
  reversed.Add(a_, Held(1, a_), true);
  EXPECT_EQ(claims_.result().claim, Held(2, b_, {c_}));
  EXPECT_EQ(reversed.result().claim, Held(2, b_, {c_}));
}

TEST_F(ClaimsTest, WhatANodeSaysOfOthersDoesNotCount) {
  claims_.Add(a_, Held(9, b_), true);
  EXPECT_FALSE(claims_.result().claim.has_value());
}

TEST_F(ClaimsTest, WithoutAPrimaryTheNewestReplicasAreKnown) {
  claims_.Add(b_, Held(1, a_, {b_, c_}), true);
  claims_.Add(c_, Held(2, a_, {c_}), true);
  ASSERT_TRUE(claims_.result().claim.has_value());
  EXPECT_EQ(claims_.result().claim->primary, kNoNode);
  EXPECT_THAT(claims_.result().claim->replicas(), ElementsAre(c_));
}

// A space that moves while all are asked is claimed by nobody, but its old holder knows.
TEST_F(ClaimsTest, TheNewestThatIsHeardOfIsKept) {
  claims_.Add(a_, Held(3, b_), false);
  claims_.Add(c_, Held(2, a_), false);
  EXPECT_FALSE(claims_.result().claim.has_value());
  EXPECT_EQ(claims_.result().heard, Held(3, b_));
}

// A replica may have heard of an assignment that is newer than the primary's own; it does not make
// another node primary.
TEST_F(ClaimsTest, APrimaryCountsMoreThanAReplica) {
  claims_.Add(c_, Held(3, b_, {c_}), true);
  claims_.Add(a_, Held(2, a_, {c_}), true);
  EXPECT_EQ(claims_.result().claim, Held(2, a_, {c_}));
}

}  // namespace
}  // namespace engram::routing
