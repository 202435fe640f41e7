#include "engram/server/session_check.h"

#include <gtest/gtest.h>

namespace engram::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kCame{seconds(1'000)};
const TimePoint kDeadline = kCame + seconds(10);

SessionStep Step(Copy copy, Role role, Duration after) {
  return NextSessionStep(copy, role, kCame, kDeadline, kCame + after);
}

TEST(SessionCheck, ACopyThatHasTheChangeIsRead) {
  EXPECT_EQ(Step(Copy::kHasIt, Role::kReplica, {}), SessionStep::kServe);
  EXPECT_EQ(Step(Copy::kHasIt, Role::kReplica, seconds(1)), SessionStep::kServe);
}

TEST(SessionCheck, AReplicaWaitsForTheChangeAndThenSendsToThePrimary) {
  EXPECT_EQ(Step(Copy::kLacksIt, Role::kReplica, {}), SessionStep::kWait);
  EXPECT_EQ(Step(Copy::kLacksIt, Role::kReplica, milliseconds(249)), SessionStep::kWait);
  EXPECT_EQ(Step(Copy::kLacksIt, Role::kReplica, milliseconds(250)), SessionStep::kElsewhere);
}

// What was acknowledged by a primary that is gone, and shipped to nobody, comes back with it.
TEST(SessionCheck, ThePrimaryThatLacksItAnswersWithTheFlag) {
  EXPECT_EQ(Step(Copy::kLacksIt, Role::kPrimary, milliseconds(100)), SessionStep::kWait);
  EXPECT_EQ(Step(Copy::kLacksIt, Role::kPrimary, milliseconds(250)), SessionStep::kServeBehind);
}

TEST(SessionCheck, NobodyWaitsPastHisDeadline) {
  EXPECT_EQ(NextSessionStep(Copy::kLacksIt, Role::kReplica, kCame, kCame + milliseconds(20),
                            kCame + milliseconds(16)),
            SessionStep::kElsewhere);
}

}  // namespace
}  // namespace engram::server
