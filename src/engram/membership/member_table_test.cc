#include "engram/membership/member_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

using std::chrono::hours;

TEST(MemberTable, OneWordOverrulesAnother) {
  struct Case {
    Update first;
    Update then;
    Change change;
  };
  const Case cases[] = {
      {Alive("x", 1), Alive("x", 1), Change::kNone},
      {Alive("x", 1), Alive("x", 2), Change::kRefreshed},
      {Alive("x", 2), Alive("x", 1), Change::kNone},
      {Alive("x", 1), Suspect("x", 1, {"a"}), Change::kSuspected},
      {Alive("x", 2), Suspect("x", 1, {"a"}), Change::kNone},
      {Alive("x", 2), Dead("x", 1), Change::kNone},
      {Alive("x", 1), Dead("x", 1), Change::kDied},
      {Alive("x", 1), Left("x", 1), Change::kLeft},
  };
  for (const Case& c : cases) {
    MemberTable table;
    table.Apply(c.first, kStart);
    EXPECT_EQ(table.Apply(c.then, kStart), c.change);
  }
}

TEST(MemberTable, ASuspectIsAliveAgainOnlyWithANewIncarnation) {
  MemberTable table;
  table.Apply(Alive("x", 1), kStart);
  table.Apply(Suspect("x", 1, {"a"}), kStart);
  EXPECT_EQ(table.Apply(Alive("x", 1), kStart), Change::kNone);
  EXPECT_EQ(table.Apply(Alive("x", 2), kStart), Change::kRefuted);
}

TEST(MemberTable, TheDeadAndWhoLeftMayComeBack) {
  MemberTable table;
  table.Apply(Alive("x", 1), kStart);
  table.Apply(Dead("x", 1), kStart);
  EXPECT_EQ(table.Apply(Alive("x", 2), kStart), Change::kJoined);
  table.Apply(Left("x", 2), kStart);
  EXPECT_EQ(table.Apply(Dead("x", 2), kStart), Change::kNone) << "its own word comes last";
  EXPECT_EQ(table.Apply(Alive("x", 3), kStart), Change::kJoined);
}

TEST(MemberTable, NewsOfANewAddressIsTakenOver) {
  MemberTable table;
  table.Apply(Alive("x", 1), kStart);
  Update moved = Alive("x", 2);
  moved.info->rpc_address = "elsewhere:1";
  table.Apply(moved, kStart);
  EXPECT_EQ(table.Find(NodeId("x"))->info.rpc_address, "elsewhere:1");
}

// So nodes that have heard the same think the same.
TEST(MemberTable, TheOrderOfWordsDoesNotMatter) {
  std::vector<Update> words;
  for (const char* id : {"x", "y", "z"}) {
    for (uint64_t incarnation = 1; incarnation <= 4; ++incarnation) {
      for (int state = 0; state < kMemberStateCount; ++state) {
        words.push_back(Says(MemberState(state), id, incarnation));
        words.back().info = InfoOf(id + std::to_string(incarnation));
      }
    }
  }
  std::mt19937_64 random(1);
  for (int run = 0; run < 500; ++run) {
    std::vector<Update> heard(words.begin(), words.end());
    std::shuffle(heard.begin(), heard.end(), random);
    heard.resize(words.size() / 2);
    std::vector<Update> again = heard;
    again.insert(again.end(), heard.begin(), heard.begin() + 5);
    std::shuffle(again.begin(), again.end(), random);
    MemberTable one;
    MemberTable other;
    for (const Update& update : heard) one.Apply(update, kStart);
    for (const Update& update : again) other.Apply(update, kStart);
    ASSERT_EQ(one.everybody().size(), other.everybody().size());
    for (const Member* member : one.everybody()) {
      ASSERT_EQ(member->standing, other.Find(member->id)->standing) << "run " << run;
    }
    for (int state = 0; state < kMemberStateCount; ++state) {
      ASSERT_EQ(one.CountOf(MemberState(state)), other.CountOf(MemberState(state)));
    }
  }
}

TEST(MemberTable, AMemberOfWhichNothingIsKnownIsNotTakenIn) {
  MemberTable table;
  EXPECT_EQ(table.Apply(Dead("x", 1), kStart), Change::kNone);
  EXPECT_EQ(table.Find(NodeId("x")), nullptr);
  Update told = Dead("x", 1);
  told.info = InfoOf("x");
  EXPECT_EQ(table.Apply(told, kStart), Change::kDied);
  EXPECT_EQ(table.total(), 1u);
}

TEST(MemberTable, TheTotalCountsAllButThoseWhoLeft) {
  MemberTable table;
  for (const char* id : {"a", "b", "c", "d"}) table.Apply(Alive(id), kStart);
  table.Apply(Suspect("b", 1, {"a"}), kStart);
  table.Apply(Dead("c"), kStart);
  table.Apply(Left("d"), kStart);
  EXPECT_EQ(table.total(), 3u);
  EXPECT_EQ(table.live(), 2u);
  EXPECT_EQ(table.CountOf(MemberState::kAlive), 1u);
}

TEST(MemberTable, ReapingShortensTheListAndNotTheTotal) {
  MemberTable table;
  for (const char* id : {"a", "b", "c"}) table.Apply(Alive(id), kStart);
  table.Apply(Dead("b"), kStart);
  table.Apply(Left("c"), kStart);
  EXPECT_EQ(table.Listed(kStart + hours(23)).size(), 3u);
  EXPECT_EQ(table.NextReap(kStart), kStart + hours(24));
  EXPECT_EQ(table.Listed(kStart + hours(24)).size(), 1u);
  EXPECT_EQ(table.NextReap(kStart + hours(24)), kNever);
  table.Forget(kStart + hours(24 * 365));
  EXPECT_EQ(table.total(), 2u);
  EXPECT_NE(table.Find(NodeId("b")), nullptr);
}

TEST(MemberTable, WhoLeftIsForgottenAfterAWhile) {
  MemberTable table;
  table.Apply(Alive("a"), kStart);
  table.Apply(Left("a"), kStart + hours(1));
  table.Forget(kStart + hours(24 * 7));
  EXPECT_NE(table.Find(NodeId("a")), nullptr);
  table.Forget(kStart + hours(24 * 7 + 1));
  EXPECT_EQ(table.Find(NodeId("a")), nullptr);
  EXPECT_TRUE(table.everybody().empty());
  EXPECT_EQ(table.CountOf(MemberState::kLeft), 0u);
}

TEST(MemberTable, IsBounded) {
  MemberTable table;
  for (size_t i = 0; i <= MemberTable::kMembersMax; ++i) {
    table.Apply(Alive("n" + std::to_string(i)), kStart);
  }
  EXPECT_EQ(table.everybody().size(), MemberTable::kMembersMax);
}

}  // namespace
}  // namespace engram::membership
