// Small histories by hand: right ones, and for each promise but 7 and 10 (checker_reads_test.cc)
// ones that break it and nothing else.
#include "support/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "support/story.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;

TEST(RightHistory, NothingAtAll) { ExpectRight({}); }

TEST(RightHistory, UnknownWriteMayHappenLater) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  Story::Lose(story.Store("b", 10, In(1, "A", 2)));
  story.Get({"a"}, 100, In(1, "A", 1));
  story.Get({"b"}, 200, In(1, "A", 2));
  story.Copy("A", {"b"});
  ExpectRight(story);
}

TEST(RightHistory, TailComesBackAsASiblingAfterAFailover) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Get({}, 10, In(2, "B", 1));  // "a" is in the outbox of A
  story.Store("b", 20, In(2, "B", 2));
  story.Copy("A", {"b", "a"});
  story.Copy("B", {"b", "a"});
  ExpectRight(story);
}

TEST(RightHistory, EditThatADeleteHadNotSeenSurvives) {
  Story story;
  story.Store("a", 0, In(1, "A", 1)).flagged = true;
  story.Forget("d", 10, In(2, "B", 2));
  story.Copy("A", {"a"});
  ExpectRight(story);
}

// "b" was stored at A, where "c" replaced it, and again in a branch, where it had seen "a".
TEST(RightHistory, DuplicateTakesAwayWhatItHadSeen) {
  Story story;
  Story::Lose(story.Store("b", 0, {}));
  story.Store("c", 10, In(1, "A", 2));
  story.Store("a", 20, In(1, "C", 1)).flagged = true;
  Operation& again = story.Store("b", 30, In(1, "C", 2));
  again.flagged = true;
  story.Get({"c"}, 50, In(1, "A", 9));
  story.Copy("A", {"c"});
  ExpectRight(story);
}

TEST(RightHistory, DuplicateDeleteTakesAwayWhatItHadSeen) {
  Story story;
  Story::Lose(story.Forget("d", 0, {}));
  story.Forget("d", 10, In(1, "A", 2));
  story.Store("a", 20, In(1, "C", 1)).flagged = true;
  story.Copy("A", {});
  ExpectRight(story);
}

TEST(RightHistory, FlaggedGetMayBeOld) {
  Story story;
  story.Store("a", 0, In(1, "A", 1)).ack = AckLevel::kAll;
  story.Get({}, 10, In(1, "A", 0)).flagged = true;
  ExpectRight(story);
}

TEST(RightHistory, RetryIsAnsweredByALaterPrimary) {
  Story story;
  Story::Lose(story.Store("a", 0, {}));
  Operation& again = story.Store("a", 10, In(1, "A", 1));
  again.served_by = NodeId("B");
  again.first_effect = false;
  story.Copy("B", {"a"});
  ExpectRight(story);
}

TEST(RightHistory, WriteIsLostWithTheOnlyDiskThatHadIt) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Copy("B", {});
  story.history.lost_disks.push_back({9, NodeId("A")});
  ExpectRight(story);
}

TEST(RightHistory, DeleteIsLostWithTheOnlyDiskThatHadIt) {
  Story story;
  story.Store("a", 0, In(1, "A", 1)).ack = AckLevel::kQuorum;
  story.Forget("d", 10, In(1, "A", 2));
  story.Copy("B", {"a"});
  story.history.lost_disks.push_back({9, NodeId("A")});
  ExpectRight(story);
}

TEST(NothingLost, WriteThatIsInNoCopy) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Copy("A", {});
  ExpectBroken(story, Promise::kNothingLost, {2, 4});
}

TEST(NothingLost, QuorumWriteWithOneDiskLost) {
  Story story;
  story.Store("a", 0, In(1, "A", 1)).ack = AckLevel::kQuorum;
  story.Copy("B", {});
  story.history.lost_disks.push_back({9, NodeId("A")});
  ExpectBroken(story, Promise::kNothingLost, {2, 4});
}

TEST(NothingLost, OlderWriteStandsInItsPlace) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Store("b", 10, In(1, "A", 2));
  story.Copy("A", {"a"});
  ExpectBroken(story, Promise::kNothingLost, {3, 5});
}

TEST(NothingLost, OverlappingWriteThatIsEarlierInTheLogStandsInItsPlace) {
  Story story;
  story.Store("a", 0, In(1, "A", 2));
  story.Store("b", 1, In(1, "A", 1));
  story.Copy("A", {"b"});
  ExpectBroken(story, Promise::kNothingLost, {2, 5});
}

TEST(NothingLost, DegradedWriteIsDroppedByTheMerge) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Store("b", 10, In(1, "C", 1)).flagged = true;
  story.Copy("A", {"a"});
  ExpectBroken(story, Promise::kNothingLost, {3, 5});
}

TEST(NothingLost, DeleteBeforeItExplainsNothing) {
  Story story;
  story.Forget("d", 0, In(1, "A", 1));
  story.Store("a", 10, In(1, "A", 2));
  story.Copy("A", {});
  ExpectBroken(story, Promise::kNothingLost, {3, 5});
}

// Whoever had "a" had "b", too, and would have known it again.
TEST(NothingLost, DuplicateExplainsNothingThatWasWrittenAfterItInItsLog) {
  Story story;
  Story::Lose(story.Store("b", 0, {}));
  Operation& again = story.Store("b", 10, In(1, "A", 1));
  again.first_effect = false;
  story.Store("a", 20, In(1, "A", 2));
  story.Copy("A", {"b"});
  ExpectBroken(story, Promise::kNothingLost, {4, 6});
}

TEST(NothingLost, DuplicateExplainsNothingThatAQuorumWroteAfterIt) {
  Story story;
  Story::Lose(story.Forget("d", 0, {}));
  story.Forget("d", 10, In(1, "A", 2)).ack = AckLevel::kQuorum;
  story.Store("a", 20, In(2, "B", 2));
  story.Copy("A", {});
  ExpectBroken(story, Promise::kNothingLost, {4, 6});
}

TEST(NothingLost, DuplicateThatIsNotExplainedItselfExplainsNothing) {
  Story story;
  Story::Lose(story.Store("b", 0, {}));
  story.Store("a", 20, In(1, "C", 1)).flagged = true;
  story.Copy("A", {});
  ExpectBroken(story, Promise::kNothingLost, {3, 5});
}

TEST(OnePrimary, AnotherNodeAcceptsInItsEpoch) {
  Story story;
  story.Store("a", 0, In(1, "A", 1)).served_by = NodeId("B");
  ExpectBroken(story, Promise::kOnePrimary, {2});
}

TEST(OnePrimary, TwoWritesAtOnePlace) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Store("b", 10, In(1, "A", 1));
  ExpectBroken(story, Promise::kOnePrimary, {3, 2});
}

TEST(CopiesEqual, OneMissesAMemory) {
  Story story;
  Story::Lose(story.Store("a", 0, {}));
  story.Copy("A", {"a"});
  story.Copy("B", {});
  ExpectBroken(story, Promise::kCopiesEqual, {6, 4});
}

TEST(CopiesEqual, TheyDisagreeOnWhichIsTheSibling) {
  Story story;
  Story::Lose(story.Store("a", 0, {}));
  Story::Lose(story.Store("b", 0, {}));
  story.Copy("A", {"a", "b"});
  story.Copy("B", {"b", "a"});
  ExpectBroken(story, Promise::kCopiesEqual, {7, 5});
}

TEST(FewHops, FourOnACalmDay) {
  Story story;
  story.Get({}, 10, {}).hops = 4;
  ExpectRight(story);
  story.history.calm.push_back({9, At(0), At(100)});
  ExpectBroken(story, Promise::kFewHops, {2});
}

TEST(FewHops, FailureOnACalmDay) {
  Story story;
  story.Get({}, 10, {}).outcome = Outcome::kFail;
  story.history.calm.push_back({9, At(0), At(100)});
  ExpectBroken(story, Promise::kFewHops, {2});
}

TEST(FewHops, NoAnswerCountsOnlyOnceItsTimeIsOver) {
  Story story;
  Story::Lose(story.Get({}, 10, {}));  // deadline 110
  story.history.calm = {{9, At(0), At(100)}};
  ExpectRight(story);
  story.history.calm = {{9, At(0), At(110)}};
  ExpectBroken(story, Promise::kFewHops, {2});
}

TEST(OneEffect, TwoIds) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  Operation& again = story.Store("a", 10, In(1, "A", 1));
  again.id = MemoryId("m2");
  again.first_effect = false;
  ExpectBroken(story, Promise::kOneEffect, {3, 2});
}

TEST(OneEffect, TwoPlacesInOneLog) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Store("a", 10, In(1, "A", 2));
  ExpectBroken(story, Promise::kOneEffect, {3, 2});
}

TEST(OneEffect, AnotherPlaceInACopyThanWasAcknowledged) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Copy("A", {"a"});
  story.history.held.front().revisions.front().version = In(1, "A", 7);
  ExpectBroken(story, Promise::kOneEffect, {4, 2});
}

TEST(OneEffect, TwiceInACopy) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Copy("A", {"a", "a"});
  ExpectBroken(story, Promise::kOneEffect, {4, 4});
}

TEST(InTime, OneNanosecondTooLate) {
  Story story;
  Operation& op = story.Get({}, 0, {});
  op.end = *op.deadline + std::chrono::milliseconds(50);
  ExpectRight(story);
  *op.end += Duration(1);
  ExpectBroken(story, Promise::kInTime, {2});
}

TEST(InTime, UndeterminedIsAReply) {
  Story story;
  Operation& op = story.Store("a", 0, {});
  op.outcome = Outcome::kUnknown;
  op.end = At(1'000);
  ExpectBroken(story, Promise::kInTime, {2});
}

TEST(Record, ValueOfTwoRequests) {
  Story story;
  Story::Lose(story.Store("a", 0, {}));
  Operation& other = story.Store("a", 10, {});
  other.request = "other";
  Story::Lose(other);
  ExpectBroken(story, Promise::kRecord, {3});
}

TEST(Verdict, CountsAllAndListsSome) {
  Story story;
  for (int i = 0; i < 30; ++i) story.Get({"x"}, i, {});
  const Verdict verdict = Judge(story.history, {.listed_max = 3});
  EXPECT_EQ(verdict.CountOf(Promise::kNeverWrong), 30U);
  EXPECT_EQ(verdict.violations.size(), 3U);
  EXPECT_THAT(verdict.ToString(), HasSubstr("promise 10 (an unflagged answer is never wrong), "
                                            "lines 2: s/m is x, which nobody wrote there"));
  EXPECT_THAT(verdict.ToString(), HasSubstr("30 violations, 3 of them listed"));
}

}  // namespace
}  // namespace engram::testing
