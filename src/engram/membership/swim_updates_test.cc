// What is believed of others and of itself: suspicion, death, refutation, leaving, removal.
#include <gmock/gmock.h>

#include "engram/base/error.h"
#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

using ::testing::HasSubstr;

TEST_F(SwimTest, ASuspectThatIsConfirmedDiesSoon) {
  Begin({"a", "b", "c", "d"});
  Hears("a", Gossip{}, {Suspect("d", 1, {"a", "b", "c"})});
  PassHealthy(milliseconds(3'980), "d");
  EXPECT_EQ(StateOf("d"), MemberState::kSuspect);
  PassHealthy(milliseconds(40), "d");
  EXPECT_EQ(StateOf("d"), MemberState::kDead);
}

TEST_F(SwimTest, ASuspectOfOneAccuserHasMoreTime) {
  SwimOptions patient;
  patient.probe_period = seconds(10);  // so that it is not probed here meanwhile
  Begin({"a", "b", "c", "d"}, patient);
  Hears("a", Gossip{}, {Suspect("d", 1, {"a"})});
  PassHealthy(seconds(9));
  EXPECT_EQ(StateOf("d"), MemberState::kSuspect);
  EXPECT_GT(swim_->NextWake(), now_);
}

TEST_F(SwimTest, ConfirmationsArePassedOnTogether) {
  Begin({"a", "b", "c", "d"});
  Hears("a", Gossip{}, {Suspect("d", 1, {"a"})});
  Hears("b", Gossip{}, {Suspect("d", 1, {"b"})});
  Pass(milliseconds(200));
  ASSERT_FALSE(Sent<Gossip>().empty());
  EXPECT_TRUE(Sent<Gossip>()[0].Carries(Suspect("d", 1, {"a", "b"})));
}

TEST_F(SwimTest, ItsOwnFindingConfirms) {
  Begin({"a", "b"});
  const std::string silent = NextPing().message.target.value();
  const std::string other = silent == "a" ? "b" : "a";
  Hears(other, Gossip{}, {Suspect(silent, 1, {"x1"})});
  Pass(seconds(1));
  Pass(milliseconds(200));
  EXPECT_TRUE(Noticed(Change::kSuspected, silent));
  Pass(milliseconds(2'900));
  EXPECT_EQ(StateOf(silent), MemberState::kDead);
}

TEST_F(SwimTest, ASuspectThatContradictsLives) {
  Begin({"a", "b", "c"});
  Hears("a", Gossip{}, {Suspect("c", 1, {"a", "b", "x"})});
  Hears("b", Gossip{}, {Alive("c", 2)});
  EXPECT_TRUE(Noticed(Change::kRefuted, "c"));
  PassHealthy(seconds(30));
  EXPECT_EQ(StateOf("c"), MemberState::kAlive);
}

// It restarted before it was missed: its breakers, and perhaps its address, are others.
TEST_F(SwimTest, ANewLifeOfOneThatWasNeverMissedIsTold) {
  Begin({"a", "b"});
  Hears("a", Gossip{}, {Alive("b", 2)});
  EXPECT_TRUE(Noticed(Change::kRefreshed, "b"));
  Forget();
  Hears("a", Gossip{}, {Alive("b", 2)});
  EXPECT_FALSE(Noticed(Change::kRefreshed, "b"));
}

TEST_F(SwimTest, AnOldSuspicionIsNotTakenUpAgain) {
  Begin({"a", "b"});
  Hears("a", Gossip{}, {Alive("b", 3)});
  Hears("a", Gossip{}, {Suspect("b", 2, {"a"})});
  EXPECT_EQ(StateOf("b"), MemberState::kAlive);
}

TEST_F(SwimTest, ContradictsWhatIsSaidOfItself) {
  Begin({"a", "b", "c"});
  Hears("a", Gossip{}, {Suspect("me", 5, {"a"})});
  EXPECT_EQ(swim_->incarnation(), Incarnation{6});
  EXPECT_EQ(swim_->awareness(), 1) << "others could not reach it";
  ASSERT_EQ(Of<Swim::NewIncarnation>().size(), 1u);
  Pass(milliseconds(200));
  ASSERT_FALSE(Sent<Gossip>().empty());
  EXPECT_TRUE(Sent<Gossip>()[0].Carries(Alive("me", 6)));
}

TEST_F(SwimTest, AnAccusationThatItHasContradictedIsIgnored) {
  Begin({"a"});
  Hears("a", Gossip{}, {Suspect("me", 4, {"a"}), Dead("me", 4), Alive("me", 5)});
  EXPECT_EQ(swim_->incarnation(), Incarnation{5});
  EXPECT_EQ(swim_->counters().refutations, 0u);
}

// Its incarnation was lost with its disk, and others remember an earlier life.
TEST_F(SwimTest, GoesAboveAnEarlierLife) {
  Begin({"a"});
  Hears("a", Gossip{}, {Dead("me", 40)});
  EXPECT_EQ(swim_->incarnation(), Incarnation{41});
  Hears("a", Gossip{}, {Alive("me", 50)});
  EXPECT_EQ(swim_->incarnation(), Incarnation{51});
  Hears("a", Gossip{}, {Left("me", 51)});
  EXPECT_EQ(swim_->incarnation(), Incarnation{52});
}

TEST_F(SwimTest, ItsOwnIncarnationAtAnotherAddressIsContradicted) {
  Begin({"a"});
  Update moved = Alive("me", 5);
  moved.info->rpc_address = "elsewhere:1";
  Hears("a", Gossip{}, {moved});
  EXPECT_EQ(swim_->incarnation(), Incarnation{6});
  EXPECT_EQ(swim_->counters().conflicts, 1u);
}

TEST_F(SwimTest, TheLargestIncarnationEndsNothing) {
  Begin({"a"});
  Hears("a", Gossip{}, {Dead("me", static_cast<uint64_t>(kIncarnationMax))});
  EXPECT_EQ(swim_->incarnation(), Incarnation{5});
}

TEST_F(SwimTest, ASuspectIsToldSoFirst) {
  Begin({"a", "b", "c"});
  Hears("a", Gossip{}, {Suspect("c", 1, {"a"})});
  Pass(seconds(1));  // the news has been sent as often as it may
  Forget();
  Hears("c", Ping{1, NodeId("me")});
  ASSERT_EQ(Sent<Ack>().size(), 1u);
  ASSERT_FALSE(Sent<Ack>()[0].updates.empty());
  EXPECT_EQ(Sent<Ack>()[0].updates[0].standing.state, MemberState::kSuspect);
  EXPECT_EQ(Sent<Ack>()[0].updates[0].id.value(), "c");
}

TEST_F(SwimTest, PlainSwimHasNoBuddies) {
  SwimOptions plain;
  plain.buddy_notice = false;
  Begin({"a", "b", "c"}, plain);
  Hears("a", Gossip{}, {Suspect("c", 1, {"a"})});
  Pass(seconds(1));
  Forget();
  Hears("c", Ping{1, NodeId("me")});
  EXPECT_TRUE(Sent<Ack>().at(0).updates.empty());
}

TEST_F(SwimTest, WhoIsHeldDeadAccusesNobody) {
  Begin({"a", "b", "c"});
  Hears("a", Gossip{}, {Dead("c")});
  Hears("c", Gossip{}, {Suspect("b", 1, {"c"}), Dead("a")});
  Hears("stranger", Gossip{}, {Dead("a")});
  EXPECT_EQ(StateOf("a"), MemberState::kAlive);
  EXPECT_EQ(StateOf("b"), MemberState::kAlive);
  EXPECT_EQ(swim_->counters().accusations_ignored, 3u);
}

TEST_F(SwimTest, WhoComesBackMayAccuseInTheSameBreath) {
  Begin({"a", "b", "c"});
  Hears("a", Gossip{}, {Dead("c")});
  Hears("c", Gossip{}, {Suspect("b", 1, {"c"}), Alive("c", 2)});
  EXPECT_EQ(StateOf("b"), MemberState::kSuspect);
}

TEST_F(SwimTest, LeavingIsToldAtOnceAndEnds) {
  Begin({"a", "b", "c", "d"});
  swim_->Leave(now_);
  Collect();
  EXPECT_EQ(Sent<Gossip>().size(), 3u);
  EXPECT_TRUE(Sent<Gossip>()[0].Carries(Left("me", 5)));
  EXPECT_FALSE(swim_->HasLeft());
  Pass(seconds(1));
  EXPECT_TRUE(swim_->HasLeft());
  EXPECT_EQ(swim_->NextWake(), kNever);
}

TEST_F(SwimTest, WhoLeavesContradictsNothingAndAnswersNothing) {
  Begin({"a", "b"});
  swim_->Leave(now_);
  Forget();
  Hears("a", Ping{1, NodeId("me")}, {Dead("me", 5)});
  EXPECT_TRUE(Sent<Ack>().empty());
  EXPECT_EQ(swim_->incarnation(), Incarnation{5});
}

TEST_F(SwimTest, WhoLeavesAloneHasLeft) {
  Begin({});
  swim_->Leave(now_);
  EXPECT_TRUE(swim_->HasLeft());
}

TEST_F(SwimTest, WhoHasLeftIsNotCountedAndNotProbed) {
  Begin({"a", "b"});
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{3, 3}));
  Hears("b", Gossip{}, {Left("b")});
  EXPECT_TRUE(Noticed(Change::kLeft, "b"));
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{2, 2}));
  PassHealthy(seconds(5));
  for (const auto& ping : Sent<Ping>()) EXPECT_NE(ping.address, "b:7946");
}

TEST_F(SwimTest, TheDeadAreCountedUntilTheyAreRemoved) {
  Begin({"a", "b"});
  Hears("a", Gossip{}, {Dead("b")});
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{2, 3}));
  EXPECT_EQ(DetailOf(swim_->Remove(NodeId("a"), now_)).field, "node");
  EXPECT_THAT(swim_->Remove(NodeId("a"), now_).message(), HasSubstr("a is not dead"));
  EXPECT_EQ(CodeOf(swim_->Remove(NodeId("nobody"), now_)), ErrorCode::kNotFound);
  EXPECT_THAT(swim_->Remove(NodeId("nobody"), now_).message(), HasSubstr("'nobody'"));
  EXPECT_TRUE(swim_->Remove(NodeId("b"), now_).ok());
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{2, 2}));
  Collect();
  Pass(milliseconds(200));
  EXPECT_TRUE(Sent<Gossip>().at(0).Carries(Left("b")));
}

// It was restarted, so soon that nobody has missed it.
TEST_F(SwimTest, ANewLifeOfALivingMemberIsNoticedWithItsAddress) {
  Begin({"a"});
  Update moved = Alive("a", 2);
  moved.info->rpc_address = "elsewhere:1";
  Hears("a", Gossip{}, {moved});
  ASSERT_TRUE(Noticed(Change::kRefreshed, "a"));
  EXPECT_EQ(Of<Swim::Changed>().back().member.info.rpc_address, "elsewhere:1");
}

}  // namespace
}  // namespace engram::membership
