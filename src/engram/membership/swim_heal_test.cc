// How nodes that hold each other dead find together again, and when a node knows that it is alone.
#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

TEST_F(SwimTest, TheDeadAreProbedRarelyAndToldThatTheyAreDead) {
  Begin({"a", "b"});
  Hears("a", Gossip{}, {Dead("b")});
  PassHealthy(seconds(60), "b");
  size_t probes = 0;
  for (const auto& ping : Sent<Ping>()) {
    if (ping.address != "b:7946") continue;
    ++probes;
    EXPECT_TRUE(ping.Carries(Dead("b")));
  }
  EXPECT_NEAR(static_cast<double>(probes), 30, 8);
}

TEST_F(SwimTest, ManyTogetherProbeTheDeadNoMoreOftenThanAFew) {
  std::vector<std::string> many;
  for (int i = 0; i < 200; ++i) many.push_back("n" + std::to_string(i));
  const auto probes_of = [&](const std::vector<std::string>& others) {
    Begin(others);
    Hears(others[1], Gossip{}, {Dead(others[0])});
    PassHealthy(seconds(300), others[0]);
    size_t probes = 0;
    for (const auto& ping : Sent<Ping>()) probes += ping.address == others[0] + ":7946";
    return static_cast<double>(probes);
  };
  EXPECT_NEAR(probes_of({"a", "b", "c"}), 150, 30);
  EXPECT_NEAR(probes_of(many), 15, 6);
}

TEST_F(SwimTest, WhoComesBackIsTakenInAndAskedForItsNews) {
  Begin({"a", "b"});
  Hears("a", Gossip{}, {Dead("b")});
  PassHealthy(seconds(2), "b");
  Forget();
  Hears("b", Ack{1}, {Dead("me", 5), Alive("b", 2)});
  EXPECT_EQ(StateOf("b"), MemberState::kAlive);
  EXPECT_EQ(swim_->incarnation(), Incarnation{6}) << "it held us dead too";
  Pass({});
  ASSERT_EQ(Of<Swim::StartExchange>().size(), 1u);
  EXPECT_EQ(Of<Swim::StartExchange>()[0].with.value(), "b");
}

TEST_F(SwimTest, ManyThatComeBackAreAskedOnceASecond) {
  SwimOptions options;
  options.exchange_period = std::chrono::hours(1);
  std::vector<std::string> many;
  for (int i = 0; i < 10; ++i) many.push_back("n" + std::to_string(i));
  Begin(many, options);
  PassHealthy(seconds(2));
  for (const std::string& id : many) Hears(id, Gossip{}, {Dead(id)});
  Forget();
  for (const std::string& id : many) {
    Hears(id, Gossip{}, {Alive(id, 2)});
    Pass({});
  }
  EXPECT_EQ(Of<Swim::StartExchange>().size(), 1u);
  PassHealthy(milliseconds(1'050));
  EXPECT_EQ(Of<Swim::StartExchange>().size(), 2u);
}

// Else all would run to one that was restarted.
TEST_F(SwimTest, FewOfThoseWhoOnlyHeardOfAReturnAskForItsNews) {
  SwimOptions options;
  options.exchange_period = std::chrono::hours(1);
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back("n" + std::to_string(i));
  Begin(many, options);
  for (uint64_t incarnation = 1; incarnation <= 200; ++incarnation) {
    PassHealthy(seconds(2));
    Hears("n0", Gossip{}, {Dead("n1", incarnation)});
    Hears("n0", Gossip{}, {Alive("n1", incarnation + 1)});
  }
  EXPECT_GT(Of<Swim::StartExchange>().size(), 0u);
  EXPECT_LT(Of<Swim::StartExchange>().size(), 20u);
}

TEST_F(SwimTest, WhoHoldsUsDeadByAnOldWordIsToldTheNewest) {
  Begin({"a", "b"});
  PassHealthy(seconds(5));
  Forget();
  Hears("a", Ping{1, NodeId("me")}, {Dead("me", 4)});
  EXPECT_TRUE(Sent<Ack>().at(0).Carries(Alive("me", 5)));
  Forget();
  Hears("b", Ping{1, NodeId("me")});
  EXPECT_TRUE(Sent<Ack>().at(0).updates.empty());
}

TEST_F(SwimTest, SilenceOfEverybodyIsKnownBeforeAnybodyIsDead) {
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back("n" + std::to_string(i));
  Begin(many);
  PassHealthy(seconds(5));
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{101, 101}));
  Pass(milliseconds(4'500));
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{1, 101}));
  Hears("n7", Gossip{});
  EXPECT_GT(swim_->ReachAt(now_).reachable, 90u) << "somebody is there";
}

TEST_F(SwimTest, HelpersThatSaidNothingAreNotReachedUntilTheyAreHeard) {
  Begin({"a", "b", "c", "d"});
  const SentTo<Ping> ping = NextPing();
  Pass(milliseconds(500));
  const auto requests = Sent<PingRequest>();
  ASSERT_EQ(requests.size(), 3u);
  Hears(requests[0].address.substr(0, 1), Nack{ping.message.sequence});
  Pass(milliseconds(500));
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{2, 5}));
  Hears(requests[1].address.substr(0, 1), Gossip{});
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{3, 5}));
  Pass(milliseconds(100));
  Hears("a", Gossip{});
  Hears("b", Gossip{});
  Hears("c", Gossip{});
  Hears("d", Gossip{});
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{4, 5})) << "the suspect has not contradicted yet";
}

TEST_F(SwimTest, AStrangersVoiceIsNoSignOfTheCluster) {
  Begin({"a", "b"});
  Pass(milliseconds(4'500));
  Hears("stranger", Gossip{});
  EXPECT_EQ(swim_->ReachAt(now_).reachable, 1u);
}

TEST_F(SwimTest, TwoThatHaveNothingToSayToOthersAreNotSilent) {
  SwimOptions rare;
  rare.probe_period = seconds(20);
  Begin({"a"}, rare);
  Pass(seconds(10));
  EXPECT_EQ(swim_->ReachAt(now_), (Reach{2, 2})) << "no probe has failed";
}

}  // namespace
}  // namespace engram::membership
