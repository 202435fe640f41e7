#include "engram/cluster/seed_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "engram/base/error.h"

namespace engram::cluster {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Addresses = std::vector<std::string>;

const absl::Status kDown = MakeError(ErrorCode::kConnectionFailed, "no DNS server answers");

class SeedListTest : public ::testing::Test {
 protected:
  void Make(const Addresses& seeds, const Addresses& own = {}) {
    list_.emplace(Parse(seeds), Parse(own), 30s, now_);
  }
  static std::vector<Seed> Parse(const Addresses& texts) {
    std::vector<Seed> seeds;
    for (const std::string& text : texts) seeds.push_back(*ParseSeed(text));
    return seeds;
  }
  SeedList::Outcome Answer(size_t index, const absl::StatusOr<Addresses>& answer) {
    return list_->OnAnswer(index, answer, now_);
  }
  // Lets the time pass until something is due; how long that was.
  Duration UntilDue() {
    const Duration wait = list_->NextWake() - now_;
    now_ = list_->NextWake();
    return wait;
  }

  TimePoint now_ = TimePoint() + 1h;
  std::optional<SeedList> list_;
};

TEST_F(SeedListTest, AddressesNeedNoAnswer) {
  Make({"10.0.0.2:1", "10.0.0.1:1", "10.0.0.2:1"});
  EXPECT_THAT(list_->addresses(), ElementsAre("10.0.0.2:1", "10.0.0.1:1"));
  EXPECT_TRUE(list_->settled());
  EXPECT_THAT(list_->TakeDue(now_), IsEmpty());
  EXPECT_EQ(list_->NextWake(), kNever);
}

TEST_F(SeedListTest, NamesAreDueAtOnceAndAgainAfterTheRefresh) {
  Make({"10.0.0.1:1", "a.test:1", "_s._tcp.test"});
  EXPECT_EQ(list_->NextWake(), now_);
  EXPECT_THAT(list_->TakeDue(now_), ElementsAre(1, 2));
  EXPECT_THAT(list_->TakeDue(now_), IsEmpty()) << "they are under way";
  Answer(1, Addresses{"10.0.0.2:1"});
  EXPECT_FALSE(list_->settled());
  now_ += 1s;
  Answer(2, Addresses{"10.0.0.3:7"});
  EXPECT_TRUE(list_->settled());
  EXPECT_EQ(UntilDue(), 29s);
  EXPECT_THAT(list_->TakeDue(now_), ElementsAre(1));
  EXPECT_EQ(UntilDue(), 1s);
  EXPECT_THAT(list_->TakeDue(now_), ElementsAre(2));
}

TEST_F(SeedListTest, TheOrderIsThatOfTheSeedsNotOfTheAnswers) {
  Make({"a.test:1", "10.0.0.9:1", "b.test:1"});
  list_->TakeDue(now_);
  EXPECT_TRUE(Answer(2, Addresses{"10.0.0.5:1", "10.0.0.9:1"}).list_changed);
  EXPECT_TRUE(Answer(0, Addresses{"10.0.0.7:1"}).list_changed);
  EXPECT_THAT(list_->addresses(), ElementsAre("10.0.0.7:1", "10.0.0.9:1", "10.0.0.5:1"));
}

TEST_F(SeedListTest, WhatDnsBeginsToNameIsUsedAndWhatItNoLongerNamesIsNot) {
  Make({"a.test:1"});
  list_->TakeDue(now_);
  Answer(0, Addresses{"10.0.0.1:1", "10.0.0.2:1"});
  EXPECT_FALSE(Answer(0, Addresses{"10.0.0.1:1", "10.0.0.2:1"}).list_changed);
  EXPECT_TRUE(Answer(0, Addresses{"10.0.0.2:1", "10.0.0.3:1"}).list_changed);
  EXPECT_THAT(list_->addresses(), ElementsAre("10.0.0.2:1", "10.0.0.3:1"));
}

TEST_F(SeedListTest, KeepsTheLastGoodAnswerWhileDnsIsDown) {
  Make({"a.test:1"});
  list_->TakeDue(now_);
  Answer(0, Addresses{"10.0.0.1:1"});
  const SeedList::Outcome first = Answer(0, kDown);
  EXPECT_TRUE(first.health_changed);
  EXPECT_FALSE(first.list_changed);
  EXPECT_THAT(list_->addresses(), ElementsAre("10.0.0.1:1"));
  EXPECT_FALSE(Answer(0, kDown).health_changed) << "said once";
  EXPECT_EQ(UntilDue(), 30s) << "what is known may wait";
  EXPECT_TRUE(Answer(0, Addresses{"10.0.0.1:1"}).health_changed);
  EXPECT_FALSE(Answer(0, Addresses{"10.0.0.1:1"}).health_changed);
}

TEST_F(SeedListTest, ANameOfWhichNothingIsKnownIsAskedForSoonerAndSooner) {
  Make({"a.test:1"});
  for (const Duration wait : {0s, 1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    EXPECT_EQ(UntilDue(), wait);
    EXPECT_THAT(list_->TakeDue(now_), ElementsAre(0));
    EXPECT_EQ(Answer(0, kDown).health_changed, wait == 0s);
    EXPECT_TRUE(list_->settled());
  }
  Answer(0, Addresses{"10.0.0.1:1"});
  EXPECT_EQ(UntilDue(), 30s);
}

TEST_F(SeedListTest, ThisNodeIsNoSeedOfItsOwn) {
  Make({"10.0.0.1:1", "10.0.0.2:1", "all.test:1", "me.test:1"}, {"10.0.0.1:1", "me.test:1"});
  EXPECT_THAT(list_->addresses(), ElementsAre("10.0.0.2:1"));
  const std::vector<size_t> due = list_->TakeDue(now_);
  ASSERT_EQ(due.size(), 2u);
  EXPECT_EQ(list_->seed(due[0]).Text(), "all.test:1");
  EXPECT_EQ(list_->seed(due[1]).Text(), "me.test:1");
  Answer(due[0], Addresses{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"});
  EXPECT_THAT(list_->addresses(), ElementsAre("10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"));
  EXPECT_TRUE(Answer(due[1], Addresses{"10.0.0.3:1"}).list_changed);
  EXPECT_THAT(list_->addresses(), ElementsAre("10.0.0.2:1", "10.0.0.4:1"));
}

TEST_F(SeedListTest, TheListIsBounded) {
  Addresses many;
  for (size_t i = 0; i < 2 * SeedList::kAddressesMax; ++i) {
    many.push_back("10.0.0.1:" + std::to_string(i + 1));
  }
  Make({"a.test:1", "10.0.0.9:1"});
  list_->TakeDue(now_);
  Answer(0, many);
  EXPECT_EQ(list_->addresses().size(), SeedList::kAddressesMax);
}

}  // namespace
}  // namespace engram::cluster
