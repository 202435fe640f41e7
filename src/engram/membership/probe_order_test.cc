#include "engram/membership/probe_order.h"

#include <gtest/gtest.h>

#include <map>

#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

class ProbeOrderTest : public testing::Test {
 protected:
  void Add(const std::string& id) {
    table_.Apply(Alive(id), kStart);
    order_.Add(NodeId(id), random_);
  }
  std::string Next() {
    const Member* member = order_.Next(table_, random_);
    return member == nullptr ? "" : member->id.value();
  }

  std::mt19937_64 random_{1};
  MemberTable table_;
  ProbeOrder order_;
};

TEST_F(ProbeOrderTest, EachOnceInARound) {
  for (int i = 0; i < 20; ++i) Add("n" + std::to_string(i));
  std::vector<std::string> last;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::string> now;
    for (int i = 0; i < 20; ++i) now.push_back(Next());
    EXPECT_EQ(std::set(now.begin(), now.end()).size(), 20u);
    EXPECT_NE(now, last) << "each round in an order of its own";
    last = now;
  }
}

TEST_F(ProbeOrderTest, AnyPlaceIsPossibleForANewMember) {
  std::map<size_t, int> place_of_last;
  for (int run = 0; run < 300; ++run) {
    order_ = {};
    for (const char* id : {"a", "b", "c"}) Add(id);
    for (size_t i = 0; i < 3; ++i) {
      if (Next() == "c") ++place_of_last[i];
    }
  }
  EXPECT_EQ(place_of_last.size(), 3u);
}

TEST_F(ProbeOrderTest, TheDeadAreSkippedUntilTheyComeBack) {
  for (const char* id : {"a", "b", "c"}) Add(id);
  table_.Apply(Dead("b"), kStart);
  for (int i = 0; i < 10; ++i) EXPECT_NE(Next(), "b");
  table_.Apply(Alive("b", 2), kStart);
  std::set<std::string> probed;
  for (int i = 0; i < 6; ++i) probed.insert(Next());
  EXPECT_TRUE(probed.contains("b"));
}

TEST_F(ProbeOrderTest, TheOnlyOneAliveIsFoundAmongManyDead) {
  for (int i = 0; i < 50; ++i) {
    Add("n" + std::to_string(i));
    table_.Apply(Dead("n" + std::to_string(i)), kStart);
  }
  Add("alive");
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Next(), "alive");
}

TEST_F(ProbeOrderTest, NobodyIsLeft) {
  EXPECT_EQ(Next(), "");
  Add("a");
  table_.Apply(Dead("a"), kStart);
  EXPECT_EQ(Next(), "");
}

TEST_F(ProbeOrderTest, OneThatIsAddedTwiceIsProbedOnce) {
  for (const char* id : {"a", "b", "a"}) Add(id);
  std::map<std::string, int> probed;
  for (int i = 0; i < 10; ++i) ++probed[Next()];
  EXPECT_EQ(probed["a"], 5);
}

TEST_F(ProbeOrderTest, WhoWasForgottenMayJoinAgain) {
  for (const char* id : {"a", "b"}) Add(id);
  table_.Apply(Left("a"), kStart);
  table_.Forget(kStart + std::chrono::hours(24 * 8));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Next(), "b");
  Add("a");
  std::set<std::string> probed;
  for (int i = 0; i < 4; ++i) probed.insert(Next());
  EXPECT_EQ(probed.size(), 2u);
}

}  // namespace
}  // namespace engram::membership
