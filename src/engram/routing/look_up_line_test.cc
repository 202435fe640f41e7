#include "engram/routing/look_up_line.h"

#include <gtest/gtest.h>

namespace engram::routing {
namespace {

const TimePoint kNow{std::chrono::seconds(1'000)};

class LookUpLineTest : public testing::Test {
 protected:
  LookUpLine::Done Note() {
    return [this](const LookUp& answer) { answers_.push_back(answer.answered); };
  }
  NodeTable nodes_;
  LookUpLine line_{nodes_};
  std::vector<uint32_t> answers_;
};

TEST_F(LookUpLineTest, OnlyTheFirstAsksAndAllGetTheAnswer) {
  EXPECT_TRUE(line_.Join("s", {}, kNow, Note()));
  EXPECT_FALSE(line_.Join("s", {}, kNow, Note()));
  EXPECT_TRUE(line_.Join("other", {}, kNow, Note()));
  line_.End("s", {std::nullopt, std::nullopt, 3, 2}, kNow);
  EXPECT_EQ(answers_, (std::vector<uint32_t>{2, 2}));
}

TEST_F(LookUpLineTest, TheAnswerIsKeptForAWhile) {
  ASSERT_TRUE(line_.Join("s", {}, kNow, Note()));
  line_.End("s", {std::nullopt, std::nullopt, 3, 1}, kNow);
  EXPECT_FALSE(line_.Join("s", {}, kNow + LookUpLine::kKeep - Duration(1), Note()));
  EXPECT_EQ(answers_, (std::vector<uint32_t>{1, 1}));
  EXPECT_TRUE(line_.Join("s", {}, kNow + LookUpLine::kKeep, Note()));
}

TEST_F(LookUpLineTest, AnAnswerThatIsOlderThanWhatIsKnownIsNotUsedAgain) {
  Route claim;
  claim.version = {2, 1, nodes_.Intern(NodeId("a"))};
  claim.primary = claim.version.epoch_primary;
  ASSERT_TRUE(line_.Join("s", {}, kNow, Note()));
  line_.End("s", {claim, std::nullopt, 3, 3}, kNow);
  EXPECT_FALSE(line_.Join("s", {claim.version}, kNow, Note()));
  EXPECT_TRUE(line_.Join("s", {{3, 1, claim.primary}}, kNow, Note()));
}

// Who waits for a new primary has no use for what was so a second ago.
TEST_F(LookUpLineTest, AnAnswerThatIsTooOldForWhoAsksIsNotUsedAgain) {
  constexpr Duration kOld = std::chrono::milliseconds(60);
  ASSERT_TRUE(line_.Join("s", {}, kNow, Note()));
  line_.End("s", {std::nullopt, std::nullopt, 3, 3}, kNow);
  EXPECT_FALSE(line_.Join("s", {{}, kOld}, kNow + kOld - Duration(1), Note()));
  EXPECT_TRUE(line_.Join("s", {{}, kOld}, kNow + kOld, Note()));
}

// Who waits may ask again from within, about this space or others.
TEST_F(LookUpLineTest, AnAnswerMayLeadToTheNextQuestion) {
  ASSERT_TRUE(line_.Join("s", {}, kNow, [this](const LookUp&) {
    EXPECT_FALSE(line_.Join("s", {}, kNow, Note()));
    EXPECT_TRUE(line_.Join("t", {}, kNow, Note()));
  }));
  line_.End("s", {std::nullopt, std::nullopt, 3, 1}, kNow);
  EXPECT_EQ(answers_, (std::vector<uint32_t>{1}));
}

}  // namespace
}  // namespace engram::routing
