#include "engram/replication/holder_state.h"

#include <gtest/gtest.h>

namespace engram::replication {
namespace {

const NodeId kA("a");
const NodeId kB("b");
const NodeId kC("c");

// Follows (1, a), as after the creation of a space by a.
HolderState FollowerOfA() {
  HolderState state;
  state.Follow({1, kA});
  return state;
}

TEST(HolderState, PromisesACounterOnceAndOnlyUpwards) {
  HolderState state = FollowerOfA();
  EXPECT_FALSE(state.MayPromise(1)) << "the primary that is followed has it";
  ASSERT_TRUE(state.MayPromise(3));
  state.Promise(3, kB);
  EXPECT_FALSE(state.MayPromise(3)) << "to whomever";
  EXPECT_FALSE(state.MayPromise(2));
  EXPECT_TRUE(state.MayPromise(4));
}

TEST(HolderState, FencesTheFollowedPrimaryOnceItHasPromised) {
  HolderState state = FollowerOfA();
  EXPECT_TRUE(state.Accepts({1, kA}));
  state.Promise(2, kB);
  EXPECT_FALSE(state.Accepts({1, kA}));
  EXPECT_TRUE(state.Accepts({2, kC})) << "whom the collector appoints is up to the positions";
  EXPECT_TRUE(state.Accepts({3, kA}));
}

TEST(HolderState, FollowingANewerEpochIsAPromise) {
  HolderState state = FollowerOfA();
  state.Promise(2, kB);
  state.Follow({3, kC});
  EXPECT_EQ(state.promised(), 3u);
  EXPECT_EQ(state.promised_to(), NodeId());
  EXPECT_FALSE(state.MayTakeOffice(2, kB));
  EXPECT_FALSE(state.MayTakeOffice(3, kC));
}

TEST(HolderState, OnlyWhoStillPromisesTakesOffice) {
  HolderState state = FollowerOfA();
  state.Promise(2, kB);
  EXPECT_TRUE(state.MayTakeOffice(2, kB));
  EXPECT_FALSE(state.MayTakeOffice(2, kC)) << "another collector of that counter";
  state.Promise(3, kC);
  EXPECT_FALSE(state.MayTakeOffice(2, kB)) << "a late appointment";
  state.TakeOffice(kA);
  EXPECT_EQ(state.epoch(), (Epoch{3, kA}));
  EXPECT_FALSE(state.MayTakeOffice(3, kC)) << "an appointment that comes twice";
}

TEST(HolderState, APromiseEndsTheReignOfWhoGivesIt) {
  HolderState state;
  EXPECT_FALSE(state.IsPrimary(NodeId()));
  state.Promise(1, kA);
  EXPECT_FALSE(state.IsPrimary(kA));
  state.TakeOffice(kA);
  EXPECT_TRUE(state.IsPrimary(kA));
  EXPECT_FALSE(state.IsPrimary(kB));
  state.Promise(2, kA);
  EXPECT_FALSE(state.IsPrimary(kA)) << "even to itself";
}

TEST(HolderState, OfTwoCreatorsTheLargerIsFollowed) {
  HolderState state = FollowerOfA();
  EXPECT_TRUE(state.Accepts({1, kB}));
  state.Follow({1, kB});
  EXPECT_FALSE(state.Accepts({1, kA}));
}

}  // namespace
}  // namespace engram::replication
