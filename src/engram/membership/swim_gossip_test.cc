// How news spreads: gossip, full states, the room in a datagram.
#include "engram/base/error.h"
#include "engram/membership/testing/stored_gossip.h"
#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

std::vector<std::string> Names(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back("n" + std::to_string(i));
  return names;
}

TEST_F(SwimTest, NewsIsSentSoOftenAndNoMore) {
  Begin({"a", "b", "c"});
  Hears("a", Gossip{}, {Alive("d")});
  PassHealthy(seconds(5));
  size_t told = 0;
  for (const auto& gossip : Sent<Gossip>()) told += gossip.Carries(Alive("d"));
  for (const auto& ping : Sent<Ping>()) told += ping.Carries(Alive("d"));
  EXPECT_EQ(told, 6u) << "3 * ceil(ln(5 + 1))";
}

TEST_F(SwimTest, GossipGoesToThreeAtATime) {
  Begin(Names(10));
  Hears("n0", Gossip{}, {Alive("new")});
  Pass(milliseconds(200));
  std::set<std::string> told;
  for (const auto& gossip : Sent<Gossip>()) {
    EXPECT_TRUE(gossip.Carries(Alive("new")));
    told.insert(gossip.address);
  }
  EXPECT_EQ(told.size(), 3u);
}

TEST_F(SwimTest, NewsRidesOnProbesToo) {
  SwimOptions slow_gossip;
  slow_gossip.gossip_period = seconds(100);
  Begin({"a", "b"}, slow_gossip);
  Hears("a", Ping{1, NodeId("me")}, {Alive("c")});
  EXPECT_TRUE(Sent<Ack>().at(0).Carries(Alive("c")));
  EXPECT_TRUE(NextPing().Carries(Alive("c")));
}

TEST_F(SwimTest, WhoJustDiedIsToldNewsSoThatItCanContradict) {
  Begin({"a"});
  Hears("a", Gossip{}, {Dead("a")});  // a says so of itself: nobody else is there
  Pass(milliseconds(200));
  ASSERT_EQ(Sent<Gossip>().size(), 1u);
  EXPECT_TRUE(Sent<Gossip>()[0].Carries(Dead("a")));
}

TEST_F(SwimTest, AnIdleNodeSaysNothingButProbes) {
  Begin({"a", "b", "c"});
  PassHealthy(seconds(20));
  Forget();
  PassHealthy(seconds(5));
  EXPECT_TRUE(Sent<Gossip>().empty());
  for (const auto& ping : Sent<Ping>()) EXPECT_TRUE(ping.updates.empty());
}

TEST_F(SwimTest, NoDatagramIsTooLong) {
  Begin(Names(200));
  std::vector<Update> news;
  for (const std::string& name : Names(200)) news.push_back(Alive(name, 2));
  Hears("n0", Gossip{}, news);
  Hears("n1", Ping{1, NodeId("me")});
  Pass(seconds(2));
  size_t longest = 0;
  for (const Swim::Send& send : Of<Swim::Send>()) {
    longest = std::max(longest, send.datagram.size());
  }
  EXPECT_LE(longest, 1'400u);
  EXPECT_GT(longest, 1'300u) << "the room is used";
}

TEST_F(SwimTest, ExchangesItsFullStateEveryHalfMinute) {
  Begin({"a", "b", "c"});
  PassHealthy(seconds(300));
  EXPECT_NEAR(static_cast<double>(Of<Swim::StartExchange>().size()), 10, 1);
}

TEST_F(SwimTest, AFullStateCarriesEverything) {
  Begin({"a", "b", "c", "d"});
  Hears("a", Gossip{}, {Suspect("b", 1, {"a"}), Dead("c"), Left("d")});
  Datagram read;
  ASSERT_EQ(ReadDatagram(swim_->FullStateBytes(), kCluster, read), Verdict::kRead);
  ASSERT_EQ(read.updates.size(), 5u);
  std::mt19937_64 random(2);
  Swim joining({NodeId("new"), Incarnation{1}, InfoOf("new"), kCluster}, {}, random, now_);
  ASSERT_TRUE(joining.MergeFullState(swim_->FullStateBytes(), now_).ok());
  for (const auto& [id, state] : {std::pair{"me", MemberState::kAlive},
                                  {"a", MemberState::kAlive},
                                  {"b", MemberState::kSuspect},
                                  {"c", MemberState::kDead},
                                  {"d", MemberState::kLeft}}) {
    const Member* member = joining.members().Find(NodeId(id));
    ASSERT_NE(member, nullptr) << id;
    EXPECT_EQ(member->standing.state, state) << id;
    EXPECT_EQ(member->info, InfoOf(id)) << id;
  }
  EXPECT_EQ(joining.ReachAt(now_), (Reach{3, 5}));
}

TEST_F(SwimTest, WhatIsStoredKeepsTheTotalAcrossARestart) {
  Begin({"a", "b"});
  Hears("a", Gossip{}, {Dead("b")});
  const std::string stored = swim_->FullStateBytes();
  Swim again({NodeId("me"), Incarnation{6}, InfoOf("me"), kCluster}, {}, random_, now_);
  ASSERT_TRUE(again.MergeFullState(stored, now_).ok());
  EXPECT_EQ(again.incarnation(), Incarnation{6});
  EXPECT_EQ(again.ReachAt(now_), (Reach{2, 3}));
}

TEST_F(SwimTest, AJoiningNodePassesNothingOnButThatItIsThere) {
  Begin(Names(50));
  Pass(milliseconds(400));
  ASSERT_FALSE(Sent<Gossip>().empty());
  for (const auto& gossip : Sent<Gossip>()) {
    EXPECT_EQ(gossip.updates, std::vector{Alive("me", 5)});
  }
}

TEST_F(SwimTest, WhoHearsOfAJoiningNodeTellsOthers) {
  Begin({"a", "b"});
  ASSERT_TRUE(swim_->MergeFullState(Sealed("new", FullState{}, {Alive("new")}), now_).ok());
  Collect();
  EXPECT_TRUE(Noticed(Change::kJoined, "new"));
  Pass(milliseconds(200));
  EXPECT_TRUE(Sent<Gossip>().at(0).Carries(Alive("new")));
}

TEST_F(SwimTest, ADeathInAFullStateIsASuspicionFirst) {
  Begin({"a", "b", "c"});
  ASSERT_TRUE(
      swim_->MergeFullState(Sealed("a", FullState{}, {Dead("b"), Dead("me", 5)}), now_).ok());
  EXPECT_EQ(StateOf("b"), MemberState::kSuspect);
  EXPECT_EQ(swim_->incarnation(), Incarnation{6});
}

TEST_F(SwimTest, AStateThatCannotBeReadIsRefusedAndSaysWhy) {
  Begin({"a"});
  EXPECT_EQ(DetailOf(swim_->MergeFullState("noise", now_)).field, "state");
  const auto foreign = swim_->MergeFullState(Sealed("a", FullState{}, {}, TagOf("other")), now_);
  EXPECT_NE(foreign.message().find("another cluster"), std::string_view::npos);
  EXPECT_FALSE(swim_->MergeFullState(Sealed("a", Gossip{}), now_).ok());
}

class SwimWithRecords : public SwimTest {
 protected:
  void SetUp() override {
    Begin({"a", "b", "c"});
    swim_.emplace(Self{NodeId("me"), Incarnation{5}, InfoOf("me"), kCluster}, SwimOptions{},
                  random_, kStart, &records_);
    ASSERT_TRUE(
        swim_->MergeFullState(Sealed("a", FullState{}, {Alive("a"), Alive("b"), Alive("c")}), now_)
            .ok());
    PassHealthy(seconds(3));
    Forget();
  }
  static Record RecordOf(const std::string& key) {
    return {key, {{1, NodeId("a")}, 1}, "value of " + key};
  }
  // Of all gossip that was sent.
  std::set<std::string> KeysSent() {
    StoredGossip heard;
    for (const Swim::Send& send : Of<Swim::Send>()) {
      Datagram read;
      EXPECT_EQ(ReadDatagram(send.datagram, kCluster, read), Verdict::kRead);
      EXPECT_LE(send.datagram.size(), 1'400u);
      EXPECT_TRUE(heard.Hear(read.rider).ok());
    }
    std::set<std::string> keys;
    for (const Record& record : heard.TakeLearnt()) keys.insert(record.key);
    return keys;
  }

  StoredGossip records_;
};

TEST_F(SwimWithRecords, OwnRecordsSetOutAtOnce) {
  for (int i = 0; i < 30; ++i) records_.Put(RecordOf("s" + std::to_string(i)));
  swim_->SpreadRider(now_);
  Pass(milliseconds(200));
  EXPECT_EQ(Sent<Gossip>().size(), 3u);
  PassHealthy(seconds(3));
  EXPECT_EQ(KeysSent().size(), 30u);
  EXPECT_FALSE(records_.HasNews());
}

TEST_F(SwimWithRecords, RecordsOfOthersAreTakenInAndPassedOn) {
  StoredGossip others;
  others.Put(RecordOf("s"));
  std::string datagram = BeginDatagram(NodeId("a"), Gossip{});
  datagram += EncodeUpdate(Alive("d"));
  datagram.push_back(kRiderFollows);
  others.Fill(datagram, 1'400, 3);
  SealDatagram(datagram, kCluster);
  swim_->OnDatagram(datagram, "a:7946", now_);
  EXPECT_NE(records_.Find("s"), std::nullopt);
  EXPECT_EQ(StateOf("d"), MemberState::kAlive);
  Pass(milliseconds(200));
  EXPECT_TRUE(KeysSent().contains("s"));
}

TEST_F(SwimWithRecords, DamagedRecordsAreCounted) {
  std::string datagram = BeginDatagram(NodeId("a"), Gossip{});
  datagram += std::string(1, kRiderFollows) + "noise";
  SealDatagram(datagram, kCluster);
  swim_->OnDatagram(datagram, "a:7946", now_);
  EXPECT_EQ(swim_->counters().datagrams[static_cast<size_t>(Verdict::kGarbled)], 1u);
}

}  // namespace
}  // namespace engram::membership
