#include "engram/membership/joiner.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "engram/base/error.h"

namespace engram::membership {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1'000)};

JoinAnswer Member(const std::string& node, const std::string& cluster = "c") {
  return {NodeId(node), cluster, "state of " + node, false};
}
JoinAnswer Undecided(const std::string& node, bool bootstrap) {
  return {NodeId(node), "", "", bootstrap};
}

class JoinerTest : public testing::Test {
 protected:
  Joiner& Make(JoinerOptions options, const std::vector<std::string>& addresses = {"a", "b"}) {
    options.self = NodeId("n2");
    joiner_.emplace(std::move(options), kStart);
    joiner_->SetAddresses(addresses, kStart);
    return *joiner_;
  }
  std::vector<std::string> AskedAt(TimePoint now) {
    joiner_->Tick(now);
    std::vector<std::string> asked;
    for (const Joiner::Output& output : joiner_->TakeOutput()) {
      if (const auto* ask = std::get_if<Joiner::Ask>(&output)) asked.push_back(ask->address);
    }
    return asked;
  }
  // The last output, if it is of that kind.
  template <class Kind>
  std::optional<Kind> Said() {
    std::vector<Joiner::Output> outputs = joiner_->TakeOutput();
    if (outputs.empty() || !std::holds_alternative<Kind>(outputs.back())) return std::nullopt;
    return std::get<Kind>(outputs.back());
  }

  std::optional<Joiner> joiner_;
};

TEST_F(JoinerTest, WhoIsNewAndHasNoSeedsFoundsAtOnce) {
  Make({});
  EXPECT_TRUE(Said<Joiner::Found>());
  EXPECT_TRUE(joiner_->done());
  EXPECT_EQ(joiner_->NextWake(), kNever);
}

TEST_F(JoinerTest, WhoHasSeedsNeverFounds) {
  Make({.has_seeds = true});
  for (int second = 0; second < 3'600; ++second) AskedAt(kStart + seconds(second));
  EXPECT_FALSE(joiner_->done());
}

TEST_F(JoinerTest, WhoIsAMemberNeverFoundsAnother) {
  Make({.cluster_id = "c", .bootstrap = true});
  for (int second = 0; second < 3'600; ++second) AskedAt(kStart + seconds(second));
  EXPECT_FALSE(joiner_->done());
}

TEST_F(JoinerTest, AllAddressesAreAskedInTurn) {
  Make({.has_seeds = true, .ask_fanout = 2}, {"a", "b", "c"});
  const auto first = AskedAt(kStart);
  EXPECT_EQ(first.size(), 2u);
  EXPECT_TRUE(AskedAt(kStart + milliseconds(200) - Duration(1)).empty());
  const auto second = AskedAt(kStart + milliseconds(200));
  std::set<std::string> both(first.begin(), first.end());
  both.insert(second.begin(), second.end());
  EXPECT_EQ(both, (std::set<std::string>{"a", "b", "c"}));
}

TEST_F(JoinerTest, NewAddressesAreAskedFirstAndAtOnce) {
  Make({.has_seeds = true, .ask_fanout = 1}, {"a"});
  AskedAt(kStart);
  joiner_->SetAddresses({"a", "new"}, kStart + seconds(1) / 2);
  EXPECT_EQ(AskedAt(kStart + seconds(1) / 2), std::vector<std::string>{"new"});
}

TEST_F(JoinerTest, TheFirstMemberThatAnswersEndsIt) {
  Make({.has_seeds = true});
  AskedAt(kStart);
  joiner_->OnError("a", MakeError(ErrorCode::kConnectionFailed, "refused"));
  EXPECT_EQ(joiner_->errors().size(), 1u);
  joiner_->OnAnswer("b", Member("n1"), kStart);
  const auto joined = Said<Joiner::Joined>();
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->address, "b");
  EXPECT_EQ(joined->answer.cluster_id, "c");
  joiner_->OnAnswer("a", Member("n3", "other"), kStart);
  EXPECT_TRUE(joiner_->TakeOutput().empty());
}

TEST_F(JoinerTest, AMemberHeedsNoOtherCluster) {
  Make({.cluster_id = "c"});
  AskedAt(kStart);
  joiner_->OnAnswer("a", Member("n1", "other"), kStart);
  joiner_->OnError("b", InvalidArgument("cluster", "of another cluster"));
  EXPECT_FALSE(joiner_->done());
  joiner_->OnAnswer("a", Member("n1", "c"), kStart);
  EXPECT_TRUE(Said<Joiner::Joined>());
}

TEST_F(JoinerTest, WhoIsNewAndIsRefusedGivesUp) {
  Make({.has_seeds = true});
  joiner_->OnError("a", InvalidArgument("cluster", "the cluster is named otherwise"));
  const auto refused = Said<Joiner::Refused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(CodeOf(refused->status), ErrorCode::kInvalidArgument);
}

TEST_F(JoinerTest, TheTimeBetweenAsksDoublesUpToTwoSeconds) {
  Make({.has_seeds = true});
  std::vector<Duration> gaps;
  TimePoint now = kStart;
  for (int i = 0; i < 7; ++i) {
    AskedAt(now);
    gaps.push_back(joiner_->NextWake() - now);
    now = joiner_->NextWake();
  }
  EXPECT_EQ(gaps, (std::vector<Duration>{milliseconds(200), milliseconds(400), milliseconds(800),
                                         milliseconds(1'600), seconds(2), seconds(2), seconds(2)}));
}

TEST_F(JoinerTest, WhoIsNewAndCannotBeDialledGivesUpAtTheThirdAttemptButNoMemberDoes) {
  for (const char* cluster : {"", "c"}) {
    Make({.cluster_id = cluster, .has_seeds = true});
    const absl::Status undialable = MakeError(ErrorCode::kInvalidEndpoint, "cannot dial you");
    for (int attempt = 0; attempt < 3; ++attempt) {
      EXPECT_FALSE(joiner_->done());
      AskedAt(joiner_->NextWake());
      joiner_->OnError("a", undialable);
      joiner_->OnError("b", undialable);
    }
    EXPECT_EQ(joiner_->done(), std::string_view(cluster).empty());
  }
}

class BootstrapTest : public JoinerTest {
 protected:
  static constexpr Duration kAfter = seconds(5);

  Joiner& MakeBootstrap(const std::vector<std::string>& addresses = {"a", "b"}) {
    return Make({.has_seeds = true, .bootstrap = true}, addresses);
  }
  void Refuse(const std::string& address) {
    joiner_->OnError(address, MakeError(ErrorCode::kConnectionFailed, "refused"));
  }
  // Asks whenever that is due before `end`; what comes of it is up to `on_ask`.
  template <class OnAsk>
  void AskUntil(TimePoint end, OnAsk on_ask) {
    for (TimePoint now = joiner_->NextWake(); now < end; now = joiner_->NextWake()) {
      for (const std::string& address : AskedAt(now)) on_ask(address, now);
      if (joiner_->done()) return;
    }
  }
  void RefuseUntil(TimePoint end) {
    AskUntil(end, [this](const std::string& address, TimePoint) { Refuse(address); });
  }
};

TEST_F(BootstrapTest, FoundsOnlyWhenNobodyHasAnsweredForAWhile) {
  MakeBootstrap();
  RefuseUntil(kStart + kAfter);
  EXPECT_FALSE(joiner_->done());
  RefuseUntil(kStart + seconds(7));
  EXPECT_TRUE(Said<Joiner::Found>());
}

TEST_F(BootstrapTest, AsksEverybodyOnceMoreBeforeItFounds) {
  std::vector<std::string> addresses;
  for (int i = 0; i < 40; ++i) addresses.push_back("seed-" + std::to_string(i));
  MakeBootstrap(addresses);
  RefuseUntil(kStart + kAfter);
  const auto asked = AskedAt(kStart + seconds(6));
  EXPECT_EQ(std::set<std::string>(asked.begin(), asked.end()),
            std::set<std::string>(addresses.begin(), addresses.end()));
  for (size_t i = 0; i + 1 < asked.size(); ++i) Refuse(asked[i]);
  EXPECT_FALSE(joiner_->done());
  joiner_->OnAnswer(asked.back(), Member("n40"), kStart + seconds(8));
  EXPECT_TRUE(Said<Joiner::Joined>());
}

TEST_F(BootstrapTest, WaitsForWhoWasAskedBefore) {
  MakeBootstrap({"a"});
  AskedAt(kStart);
  const auto asked = AskedAt(kStart + kAfter);
  ASSERT_EQ(asked.size(), 1u);
  Refuse("a");
  EXPECT_FALSE(joiner_->done());
  Refuse("a");
  EXPECT_TRUE(Said<Joiner::Found>());
}

TEST_F(BootstrapTest, WithoutAnAddressToAskItFoundsAfterAWhile) {
  MakeBootstrap({});
  joiner_->Tick(kStart + kAfter - Duration(1));
  EXPECT_FALSE(joiner_->done());
  joiner_->Tick(kStart + seconds(6));
  EXPECT_TRUE(Said<Joiner::Found>());
}

TEST_F(BootstrapTest, AnAddressThatComesUpMeanwhileIsAskedToo) {
  MakeBootstrap({"a"});
  RefuseUntil(kStart + kAfter);
  AskedAt(kStart + seconds(6));
  joiner_->SetAddresses({"a", "new"}, kStart + seconds(6));
  const auto asked = AskedAt(kStart + seconds(6));
  EXPECT_EQ(std::set<std::string>(asked.begin(), asked.end()), (std::set<std::string>{"a", "new"}));
  Refuse("a");
  Refuse("a");
  EXPECT_FALSE(joiner_->done());
  Refuse("new");
  EXPECT_TRUE(Said<Joiner::Found>());
}

// Only a member says so: there is a cluster.
TEST_F(BootstrapTest, WhoCannotBeDialledDoesNotFound) {
  MakeBootstrap({"a"});
  RefuseUntil(kStart + kAfter);
  AskedAt(kStart + seconds(6));
  joiner_->OnError("a", MakeError(ErrorCode::kInvalidEndpoint, "cannot dial you"));
  EXPECT_FALSE(joiner_->done());
  EXPECT_LT(joiner_->NextWake(), kStart + seconds(10));
}

TEST_F(BootstrapTest, OfSeveralTheSmallestFounds) {
  MakeBootstrap();
  AskUntil(kStart + seconds(60), [this](const std::string& address, TimePoint now) {
    joiner_->OnAnswer(address, Undecided("n1", true), now);
  });
  EXPECT_FALSE(joiner_->done());
  // It is gone before it has founded one.
  RefuseUntil(kStart + seconds(70));
  EXPECT_TRUE(Said<Joiner::Found>());
}

TEST_F(BootstrapTest, TheSmallestThatComesAtTheLastMomentIsHeard) {
  MakeBootstrap({"a"});
  RefuseUntil(kStart + kAfter);
  AskedAt(kStart + seconds(6));
  joiner_->OnAnswer("a", Undecided("n1", true), kStart + seconds(6));
  EXPECT_FALSE(joiner_->done());
  RefuseUntil(kStart + seconds(11));
  EXPECT_FALSE(joiner_->done());
  RefuseUntil(kStart + seconds(15));
  EXPECT_TRUE(Said<Joiner::Found>());
}

TEST_F(BootstrapTest, OthersThatAreUndecidedHoldNobodyUp) {
  MakeBootstrap();
  AskUntil(kStart + seconds(7), [this](const std::string& address, TimePoint now) {
    joiner_->OnAnswer(address, address == "a" ? Undecided("n1", false) : Undecided("n3", true),
                      now);
  });
  EXPECT_TRUE(Said<Joiner::Found>());
}

}  // namespace
}  // namespace engram::membership
