// Small histories by hand, of what is deleted (promise 7) and what is shown (promise 10): right
// ones, and ones that break it and nothing else.
#include <gtest/gtest.h>

#include "support/story.h"

namespace engram::testing {
namespace {

// Of requests that took effect on both sides of a split, each time once: the later of the two
// effects to be merged is a duplicate, and whatever it had replaced is back.

// On the branch of B the second came last; on the side of A, whose effects stay, it came first.
TEST(EffectOnBothSides, MayBeInTheOtherOrderOnTheOtherSide) {
  Story story;
  Story::Lose(story.Store("a", 0, {}));
  Story::Lose(story.Store("b", 1, {}));
  story.Store("a", 10, In(1, "B", 1)).flagged = true;
  story.Store("b", 20, In(1, "B", 2)).flagged = true;
  story.Get({"a"}, 30, In(2, "A", 3)).served_by = NodeId("B");
  story.Copy("B", {"a"});
  ExpectRight(story);
}

// On the branch of B the delete saw the store; on the side of A, where it came first, it did not.
TEST(EffectOnBothSides, DeleteOnTheOtherSideHadNotSeenIt) {
  Story story;
  story.Store("a", 0, In(1, "B", 1)).flagged = true;
  Story::Lose(story.Forget("d", 10, {}));
  story.Forget("d", 20, In(1, "B", 2)).flagged = true;
  story.Get({"a"}, 30, In(2, "A", 3)).served_by = NodeId("B");
  story.Copy("B", {"a"});
  ExpectRight(story);
}

// The client asked once, but its entry node asked two.
TEST(EffectOnBothSides, EntryNodeMayHaveCausedIt) {
  Story story;
  story.Store("a", 0, In(1, "B", 1)).flagged = true;
  Operation& forget = story.Forget("d", 10, In(1, "B", 2));
  forget.flagged = true;
  forget.hops = 1;
  story.Copy("B", {"a"});
  ExpectRight(story);
}

TEST(EffectOnBothSides, ExcusesNobodyWhoAskedOnce) {
  Story story;
  story.Store("a", 0, In(1, "B", 1)).flagged = true;
  story.Forget("d", 10, In(1, "B", 2)).flagged = true;
  story.Copy("B", {"a"});
  ExpectBroken(story, Promise::kStaysDeleted, {5, 3, 2});
}

TEST(EffectOnBothSides, IsInTheCopiesOrReplaced) {
  Story story;
  Story::Lose(story.Store("a", 0, {}));
  story.Store("a", 10, In(1, "B", 1)).flagged = true;
  story.Copy("A", {});
  ExpectBroken(story, Promise::kNothingLost, {3, 5});
}

TEST(StaysDeleted, ComesBackInTheSameLog) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Forget("d", 10, In(1, "A", 2));
  story.Copy("A", {"a"});
  ExpectBroken(story, Promise::kStaysDeleted, {5, 3, 2});
}

TEST(StaysDeleted, QuorumHadItBeforeTheDeleteInALaterEpoch) {
  Story story;
  story.Store("a", 0, In(1, "A", 1)).ack = AckLevel::kQuorum;
  story.Forget("d", 10, In(2, "B", 2));
  story.Copy("A", {"a"});
  ExpectBroken(story, Promise::kStaysDeleted, {5, 3, 2});
}

TEST(StaysDeleted, NodeThatTookBothKnewIt) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Forget("d", 10, In(3, "A", 2));
  story.Copy("A", {"a"});
  ExpectBroken(story, Promise::kStaysDeleted, {5, 3, 2});
}

TEST(NeverWrong, NobodyWroteIt) {
  Story story;
  story.Get({"x"}, 0, In(1, "A", 1)).flagged = true;
  ExpectBroken(story, Promise::kNeverWrong, {2});
}

TEST(NeverWrong, CopyHoldsWhatNobodyWrote) {
  Story story;
  story.Copy("A", {"x"});
  ExpectBroken(story, Promise::kNeverWrong, {3});
}

TEST(NeverWrong, ItsStoreHadFailed) {
  Story story;
  story.Store("a", 0, {}).outcome = Outcome::kFail;
  story.Get({"a"}, 10, {});
  ExpectBroken(story, Promise::kNeverWrong, {3});
}

TEST(NeverWrong, ItsStoreHadNotBegun) {
  Story story;
  story.Get({"a"}, 0, In(1, "A", 1));
  story.Store("a", 10, In(1, "A", 2));
  ExpectBroken(story, Promise::kNeverWrong, {2});
}

TEST(NeverWrong, OldInTheSameEpoch) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Get({}, 10, In(1, "A", 1)).served_by = NodeId("B");
  ExpectBroken(story, Promise::kNeverWrong, {3, 2});
}

TEST(NeverWrong, LaterPrimaryMissesWhatAQuorumHad) {
  Story story;
  story.Store("a", 0, In(1, "A", 1)).ack = AckLevel::kQuorum;
  story.Get({}, 10, In(2, "B", 1));
  ExpectBroken(story, Promise::kNeverWrong, {3, 2});
}

TEST(NeverWrong, SameNodeForgetsWhatItTook) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Get({}, 10, In(3, "A", 1));
  ExpectBroken(story, Promise::kNeverWrong, {3, 2});
}

TEST(NeverWrong, TokenIsNotMet) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Get({}, 10, In(2, "B", 9)).token = In(1, "A", 1);
  ExpectBroken(story, Promise::kNeverWrong, {3, 2});
}

TEST(NeverWrong, UnknownWriteIsSeenAndThenNot) {
  Story story;
  Story::Lose(story.Store("a", 0, {}));
  story.Get({"a"}, 10, In(1, "A", 1));
  story.Get({}, 20, In(1, "A", 1)).served_by = NodeId("B");
  ExpectBroken(story, Promise::kNeverWrong, {4, 3});
}

TEST(NeverWrong, DeletedIsShown) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Forget("d", 10, In(1, "A", 2));
  story.Get({"a"}, 20, In(1, "A", 2));
  ExpectBroken(story, Promise::kNeverWrong, {4, 3});
}

}  // namespace
}  // namespace engram::testing
