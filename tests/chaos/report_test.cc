// The figures of a report, from small histories.
#include "chaos/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/story.h"

namespace engram::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Writes of A end at 5, 15, 125 and 135 ms, the one at 65 is flagged; A is killed from 20 to 100.
Story KilledPrimary() {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  story.Store("b", 10, In(1, "A", 2));
  story.Store("c", 60, In(1, "B", 1)).flagged = true;
  story.Store("d", 120, In(3, "B", 1));
  story.Store("e", 130, In(3, "B", 2));
  return story;
}
const Injected kKilled{FaultKind::kKill, {NodeId("A")}, At(20), At(100)};

TEST(Gaps, LongestTimeWithoutAnUnflaggedWriteAroundTheFault) {
  const Gaps gaps = GapsOf(KilledPrimary().history, {kKilled});
  EXPECT_TRUE(gaps.of_others.empty());
  EXPECT_THAT(gaps.of_victims.at(FaultKind::kKill), ElementsAre(milliseconds(110)));
}

TEST(Gaps, SpaceOfAnotherPrimaryIsCountedApart) {
  Injected fault = kKilled;
  fault.victims = {NodeId("B")};
  const Gaps gaps = GapsOf(KilledPrimary().history, {fault});
  EXPECT_TRUE(gaps.of_victims.empty());
  EXPECT_THAT(gaps.of_others.at(FaultKind::kKill), ElementsAre(milliseconds(110)));
}

TEST(Gaps, NotKnownWhenNothingWasWrittenAfterwards) {
  Story story;
  story.Store("a", 0, In(1, "A", 1));
  EXPECT_TRUE(GapsOf(story.history, {kKilled}).of_victims.empty());
}

TEST(Epochs, RaisesOfAllSpaces) {
  Story story = KilledPrimary();
  EXPECT_EQ(EpochsRaised(story.history), 2U);
  story.Store("f", 140, In(7, "A", 1)).space = SpaceId("other");
  EXPECT_EQ(EpochsRaised(story.history), 2U);
}

TEST(Percentile, IsANearestRank) {
  const std::vector<Duration> sorted = {Duration(1), Duration(2), Duration(3), Duration(4)};
  EXPECT_EQ(Percentile(sorted, 0.5), Duration(2));
  EXPECT_EQ(Percentile(sorted, 0.51), Duration(3));
  EXPECT_EQ(Percentile(sorted, 0.99), Duration(4));
  EXPECT_EQ(Percentile({Duration(9)}, 0.01), Duration(9));
}

RunRecord Good() {
  RunRecord run;
  run.command = "chaos --seed 7";
  run.faults = {kKilled};
  run.begin = At(0);
  run.healed = At(1'000);
  run.equal_after = std::chrono::seconds(30);
  return run;
}

TEST(Report, TellsWhatHappenedAndHowToRepeatIt) {
  const Story story = KilledPrimary();
  const std::string report = ReportOf(Good(), story.history, Judge(story.history));
  EXPECT_THAT(report, HasSubstr("# Chaos: passed\n\n    chaos --seed 7\n"));
  EXPECT_THAT(report, HasSubstr("1 s of load, 5 operations, epochs raised 2 times"));
  EXPECT_THAT(report, HasSubstr("| kill | 1 | 1 | 0.11 s | 0.11 s | - | - | - |"));
  EXPECT_THAT(report, HasSubstr("| store | 5 | 1 | 0 | 0 |"));
  EXPECT_THAT(report, HasSubstr("| 1 | no acknowledged write is lost | 0 |"));
}

TEST(Report, FailsWithEachThingThatIsWrong) {
  Story wrong = KilledPrimary();
  wrong.Get({"x"}, 200, {});
  const Verdict verdict = Judge(wrong.history);
  EXPECT_TRUE(HasPassed(Good(), {}));
  EXPECT_FALSE(HasPassed(Good(), verdict));
  EXPECT_THAT(ReportOf(Good(), wrong.history, verdict), HasSubstr("x, which nobody wrote there"));
  RunRecord late = Good();
  late.equal_after = std::chrono::seconds(31);
  EXPECT_FALSE(HasPassed(late, {}));
  RunRecord never = Good();
  never.equal_after.reset();
  EXPECT_FALSE(HasPassed(never, {}));
  RunRecord mishap = Good();
  mishap.mishaps = {"node-1 has ended by itself"};
  EXPECT_FALSE(HasPassed(mishap, {}));
  EXPECT_THAT(ReportOf(mishap, wrong.history, {}), HasSubstr("MISHAP: node-1 has ended by itself"));
}

}  // namespace
}  // namespace engram::testing
