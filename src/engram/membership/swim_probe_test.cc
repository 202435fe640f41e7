// The probe cycle: direct, indirect, fallback; awareness; the helper's side.
#include "engram/base/error.h"
#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

TEST_F(SwimTest, ProbesOneMemberAPeriod) {
  Begin({"a", "b", "c"});
  PassHealthy(seconds(30));
  EXPECT_NEAR(static_cast<double>(swim_->counters().probes), 30, 1);
  EXPECT_EQ(swim_->counters().probes_failed, 0u);
  EXPECT_TRUE(Sent<PingRequest>().empty());
}

TEST_F(SwimTest, AsksOthersAndRpcWhenNoAckCame) {
  Begin({"a", "b", "c", "d", "e"});
  const SentTo<Ping> ping = NextPing();
  Pass(milliseconds(480));
  EXPECT_TRUE(Sent<PingRequest>().empty());
  Pass(milliseconds(20));
  const auto requests = Sent<PingRequest>();
  ASSERT_EQ(requests.size(), 3u);
  std::set<std::string> helpers;
  for (const auto& request : requests) {
    EXPECT_EQ(request.message.target, ping.message.target);
    EXPECT_EQ(request.message.sequence, ping.message.sequence);
    EXPECT_LE(request.message.nack_after, milliseconds(400));
    helpers.insert(request.address);
  }
  EXPECT_EQ(helpers.size(), 3u);
  EXPECT_FALSE(helpers.contains(ping.address));
  const auto fallbacks = Of<Swim::StartFallback>();
  ASSERT_EQ(fallbacks.size(), 1u);
  EXPECT_EQ(fallbacks[0].target, ping.message.target);
  EXPECT_EQ(fallbacks[0].rpc_address, ping.message.target.value() + ":50051");
}

TEST_F(SwimTest, SuspectsAtTheEndOfThePeriodAndTellsOthers) {
  Begin({"a", "b", "c"});
  const std::string silent = NextPing().message.target.value();
  Pass(milliseconds(950));
  EXPECT_EQ(StateOf(silent), MemberState::kAlive);
  Pass(milliseconds(50));
  EXPECT_EQ(StateOf(silent), MemberState::kSuspect);
  EXPECT_TRUE(Noticed(Change::kSuspected, silent));
  Pass(milliseconds(200));
  ASSERT_FALSE(Sent<Gossip>().empty());
  EXPECT_TRUE(Sent<Gossip>().back().Carries(Suspect(silent, 1, {"me"})));
}

TEST_F(SwimTest, WhoHasSpokenSinceItWasProbedIsNotSuspected) {
  Begin({"a", "b", "c"});
  const std::string silent = NextPing().message.target.value();
  const std::string other = silent == "a" ? "b" : "a";
  Pass(milliseconds(500));
  Hears(other, Gossip{}, {Alive(silent, 2)});
  Pass(milliseconds(500));
  EXPECT_EQ(swim_->counters().probes_failed, 1u);
  EXPECT_EQ(StateOf(silent), MemberState::kAlive);
}

TEST_F(SwimTest, AnAckThroughAHelperIsEnough) {
  Begin({"a", "b", "c"});
  const SentTo<Ping> ping = NextPing();
  Pass(milliseconds(500));
  const std::string helper = Sent<PingRequest>().at(0).address;
  Hears(helper.substr(0, 1), Ack{ping.message.sequence});
  Pass(milliseconds(500));
  EXPECT_EQ(StateOf(ping.message.target.value()), MemberState::kAlive);
}

TEST_F(SwimTest, AnAckOfOneWhoWasNotAskedIsNothing) {
  Begin({"a", "b", "c"});
  const SentTo<Ping> ping = NextPing();
  for (const char* other : {"a", "b", "c", "stranger"}) {
    if (ping.message.target.value() != other) Hears(other, Ack{ping.message.sequence});
  }
  Hears(ping.message.target.value(), Ack{ping.message.sequence + 100});
  Pass(seconds(1));
  EXPECT_EQ(StateOf(ping.message.target.value()), MemberState::kSuspect);
}

TEST_F(SwimTest, RpcAloneIsEnough) {
  Begin({"a", "b", "c"});
  const SentTo<Ping> ping = NextPing();
  Pass(milliseconds(500));
  swim_->OnFallback(Of<Swim::StartFallback>().at(0).sequence, now_);
  Pass(milliseconds(500));
  EXPECT_EQ(StateOf(ping.message.target.value()), MemberState::kAlive);
  EXPECT_EQ(swim_->counters().reached_by_rpc_only, 1u);
}

TEST_F(SwimTest, AFallbackOfAnEarlierProbeIsNothing) {
  Begin({"a", "b", "c"});
  const SentTo<Ping> first = NextPing();
  Answers(first);
  const SentTo<Ping> ping = NextPing();
  Pass(milliseconds(500));
  swim_->OnFallback(first.message.sequence, now_);
  Pass(milliseconds(500));
  EXPECT_EQ(StateOf(ping.message.target.value()), MemberState::kSuspect);
}

TEST_F(SwimTest, HelpersThatSendNotEvenANackAreASignAgainstItself) {
  Begin({"a", "b", "c", "d"});
  NextPing();
  Pass(seconds(1));
  EXPECT_EQ(swim_->awareness(), 3);
}

TEST_F(SwimTest, NacksSayThatOnlyTheTargetIsSilent) {
  Begin({"a", "b", "c", "d"});
  const SentTo<Ping> ping = NextPing();
  Pass(milliseconds(500));
  for (const auto& request : Sent<PingRequest>()) {
    Hears(request.address.substr(0, 1), Nack{ping.message.sequence});
  }
  Pass(milliseconds(500));
  EXPECT_EQ(swim_->awareness(), 0);
  EXPECT_EQ(StateOf(ping.message.target.value()), MemberState::kSuspect);
}

TEST_F(SwimTest, WithoutHelpersAFailedProbeIsASignAgainstItself) {
  Begin({"a"});
  NextPing();
  Pass(seconds(1));
  EXPECT_EQ(swim_->awareness(), 1);
}

TEST_F(SwimTest, AwarenessStretchesPeriodAndTimeOut) {
  Begin({"a", "b", "c", "d", "e"});
  NextPing();
  Pass(milliseconds(995));
  const SentTo<Ping> second = NextPing();  // with awareness 3: four times as long
  ASSERT_EQ(swim_->awareness(), 3);
  Forget();
  Pass(milliseconds(1'950));
  EXPECT_TRUE(Sent<PingRequest>().empty());
  Pass(milliseconds(60));
  EXPECT_EQ(Sent<PingRequest>().size(), 3u);
  Answers(second);
  Pass(milliseconds(1'950));
  EXPECT_TRUE(Sent<Ping>().empty());
  Pass(milliseconds(60));
  EXPECT_EQ(Sent<Ping>().size(), 1u);
  EXPECT_EQ(swim_->awareness(), 2) << "an answer is a sign of health";
}

TEST_F(SwimTest, AwarenessIsBounded) {
  Begin({"a", "b", "c", "d"});
  Pass(seconds(60));
  EXPECT_EQ(swim_->awareness(), 8);
  SwimOptions plain;
  plain.awareness_max = 0;
  Begin({"a", "b", "c", "d"}, plain);
  Pass(seconds(60));
  EXPECT_EQ(swim_->awareness(), 0);
}

TEST_F(SwimTest, AnswersAPingAtTheAddressItCameFrom) {
  Begin({"a"});
  swim_->OnDatagram(Sealed("a", Ping{9, NodeId("me")}), "behind:1", now_);
  Collect();
  const auto acks = Sent<Ack>();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].address, "behind:1");
  EXPECT_EQ(acks[0].message.sequence, 9u);
}

TEST_F(SwimTest, DoesNotAnswerForTheFormerOwnerOfItsAddress) {
  Begin({"a"});
  Hears("a", Ping{9, NodeId("another")});
  EXPECT_TRUE(Sent<Ack>().empty());
  EXPECT_EQ(swim_->counters().misdirected, 1u);
}

TEST_F(SwimTest, HelpsWithAProbe) {
  Begin({"a", "b"});
  Hears("a", PingRequest{9, NodeId("b"), milliseconds(400)});
  const auto pings = Sent<Ping>();
  ASSERT_EQ(pings.size(), 1u);
  EXPECT_EQ(pings[0].address, "b:7946");
  Answers(pings[0]);
  const auto acks = Sent<Ack>();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].address, "a:7946");
  EXPECT_EQ(acks[0].message.sequence, 9u);
}

TEST_F(SwimTest, SaysInTimeThatTheTargetDidNotAnswer) {
  Begin({"a", "b"});
  Hears("a", PingRequest{9, NodeId("b"), milliseconds(400)});
  Pass(milliseconds(390));
  EXPECT_TRUE(Sent<Nack>().empty());
  Pass(milliseconds(10));
  ASSERT_EQ(Sent<Nack>().size(), 1u);
  EXPECT_EQ(Sent<Nack>()[0].message.sequence, 9u);
}

TEST_F(SwimTest, SendsToNobodyButMembers) {
  Begin({"a"});
  Hears("a", PingRequest{9, NodeId("victim"), milliseconds(400)});
  EXPECT_TRUE(Sent<Ping>().empty());
  EXPECT_EQ(Sent<Nack>().size(), 1u) << "it is there, but knows no such member";
  EXPECT_EQ(swim_->counters().relays_refused, 1u);
}

TEST_F(SwimTest, ForeignAndGarbledDatagramsAreCountedAndDropped) {
  Begin({"a"});
  const auto hear = [&](const std::string& bytes) { swim_->OnDatagram(bytes, "x", now_); };
  hear("");
  hear("noise");
  hear(Sealed("z", Ping{1, NodeId("me")}, {Alive("z")}, TagOf("another cluster")));
  Collect();
  EXPECT_EQ(swim_->counters().datagrams[static_cast<size_t>(Verdict::kGarbled)], 2u);
  EXPECT_EQ(swim_->counters().datagrams[static_cast<size_t>(Verdict::kForeignCluster)], 1u);
  EXPECT_EQ(swim_->members().Find(NodeId("z")), nullptr);
  EXPECT_TRUE(outputs_.empty());
}

TEST_F(SwimTest, AFullStateIsNotTakenFromADatagram) {
  Begin({"a"});
  Hears("a", FullState{}, {Alive("b")});
  EXPECT_EQ(swim_->members().Find(NodeId("b")), nullptr);
}

TEST_F(SwimTest, ItsOwnNameFromElsewhereIsAConflict) {
  Begin({"a"});
  Hears("me", Ping{1, NodeId("me")});
  EXPECT_EQ(swim_->counters().conflicts, 1u);
  EXPECT_TRUE(outputs_.empty());
}

TEST_F(SwimTest, OptionsOutOfTheirBoundsAreNamed) {
  SwimOptions options;
  EXPECT_TRUE(Check(options).ok());
  options.ack_timeout = options.probe_period;
  EXPECT_EQ(DetailOf(Check(options)).field, "ack-timeout");
  options = {};
  options.awareness_max = 9;
  EXPECT_EQ(DetailOf(Check(options)).field, "awareness-max");
  options = {};
  options.datagram_bytes_max = 500;
  EXPECT_EQ(DetailOf(Check(options)).field, "datagram-bytes-max");
}

TEST_F(SwimTest, WhoLeavesWhileItIsProbedWasNotSilent) {
  Begin({"a", "b", "c"});
  const std::string leaves = NextPing().message.target.value();
  Hears(leaves, Gossip{}, {Left(leaves)});
  Pass(seconds(1));
  EXPECT_EQ(swim_->counters().probes_failed, 0u);
  EXPECT_EQ(swim_->awareness(), 0);
}

// As after SIGSTOP: its timers are late, and nobody could answer meanwhile.
TEST_F(SwimTest, TimeInWhichItDidNotRunIsHeldAgainstNobody) {
  Begin({"a", "b"});
  Hears("a", Gossip{}, {Suspect("b", 1, {"a"})});
  const SentTo<Ping> ping = NextPing();
  now_ += seconds(60);
  swim_->Tick(now_);
  Collect();
  EXPECT_EQ(swim_->counters().pauses, 1u);
  EXPECT_EQ(StateOf("b"), MemberState::kSuspect);
  EXPECT_EQ(swim_->counters().probes_failed, 0u);
  Answers(ping);
  Pass(milliseconds(300));
  EXPECT_EQ(swim_->counters().probes_failed, 0u);
  Pass(seconds(5));
  EXPECT_EQ(StateOf("b"), MemberState::kDead) << "the rest of its time counts";
}

}  // namespace
}  // namespace engram::membership
