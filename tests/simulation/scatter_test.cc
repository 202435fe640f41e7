// SPEC R11 with R3, R4, R8, R9, R12 and R14: a recall over many spaces meets stale tables, nodes
// that are dead, hang, are busy or cut off. ENGRAM_SIM_SEED and ENGRAM_SIM_TABLES repeat or widen a
// run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "simulation/sim_cluster.h"

namespace engram::simulation {
namespace {

using routing::ReadPolicy;
using routing::ReadPreference;
using std::chrono::milliseconds;
using std::chrono::seconds;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

const uint64_t kFirstSeed = FromEnvironment("ENGRAM_SIM_SEED", 1);

size_t Draw(std::mt19937_64& random, size_t below) {
  return std::uniform_int_distribution<size_t>(0, below - 1)(random);
}

struct Tally {
  int asked = 0, answered = 0, missing = 0;
};

// A cluster of 3 to 7 nodes, at most one of them dead or hanging, whose tables hold anything that
// was true once, or nothing; ten spaces with up to two copies, and one that does not exist.
class StaleSpaces {
 public:
  explicit StaleSpaces(uint64_t seed)
      : seed_(seed), choice_(seed * 104'729 + 7), cluster_(OptionsOf(seed)) {
    dead_ = Draw(choice_, 3) > 0 ? Draw(choice_, cluster_.size()) : cluster_.size();
    for (int i = 0; i < 10; ++i) GiveHistory(fmt::format("space-{}", i));
    if (dead_ < cluster_.size()) {
      hangs_ = Draw(choice_, 2) == 0;
      cluster_.network().Set(dead_, hangs_ ? Condition::kHung : Condition::kDown);
    }
    for (size_t i = 0; i < cluster_.size(); ++i) Scramble(cluster_.node(i));
  }

  // Every live node recalls from all spaces.
  void AskEverywhere(Tally& tally) {
    for (size_t entry = 0; entry < cluster_.size(); ++entry) {
      if (entry != dead_) Ask(entry, tally);
    }
  }
  void Ask(size_t entry, Tally& tally) {
    ++tally.asked;
    const TimePoint deadline = cluster_.scheduler().now() + seconds(10);
    cluster_.AskMany(entry, names_, [this, entry, deadline, &tally](const ScatterAnswer& answer) {
      ++tally.answered;
      EXPECT_LE(answer.at, deadline) << Again(entry);
      for (const auto& [space, outcome] : answer.spaces) Check(entry, space, outcome, tally);
    });
  }

  // From now on the spaces move about among the live nodes; each is at one of them at the start.
  void MoveAbout(int moves, Duration apart) {
    for (size_t i = 0; i < 10; ++i) {
      if (!HasLiveHolder(names_[i])) cluster_.Place(names_[i], LiveNode());
    }
    for (int i = 1; i <= moves; ++i) {
      cluster_.scheduler().After(i * apart,
                                 [this] { cluster_.Place(names_[Draw(choice_, 10)], LiveNode()); });
    }
    moving_ = true;
  }

  SimCluster& cluster() { return cluster_; }
  void Run() { cluster_.scheduler().Run(); }

 private:
  static SimOptions OptionsOf(uint64_t seed) {
    SimOptions options;
    options.nodes = 3 + seed % 5;
    options.seed = seed;
    return options;
  }

  std::string Again(size_t entry) const {
    return fmt::format("node {}; again: ENGRAM_SIM_SEED={} ENGRAM_SIM_TABLES=1", entry, seed_);
  }

  size_t LiveNode() {
    for (;;) {
      const size_t node = Draw(choice_, cluster_.size());
      if (node != dead_) return node;
    }
  }

  void GiveHistory(const std::string& space) {
    names_.push_back(space);
    const size_t length = 1 + Draw(choice_, 5);
    for (size_t i = 0; i < length; ++i) {
      const size_t primary = Draw(choice_, cluster_.size());
      std::vector<size_t> replicas;
      for (size_t node = 0; node < cluster_.size() && replicas.size() < 2; ++node) {
        if (node != primary && Draw(choice_, 4) == 0) replicas.push_back(node);
      }
      cluster_.Place(space, primary, replicas);
    }
    if (names_.size() == 10) names_.emplace_back("nowhere");
  }

  void Scramble(SimNode& node) {
    std::vector<placement::Assignment> table;
    for (size_t i = 0; i < 10; ++i) {
      const auto& history = cluster_.HistoryOf(names_[i]);
      const size_t which = Draw(choice_, history.size() + 1);
      if (which < history.size()) table.push_back(history[which]);
    }
    node.table().ReplaceForTest(table);
  }

  bool HasLiveHolder(const std::string& space) {
    for (size_t i = 0; i < cluster_.size(); ++i) {
      if (i != dead_ && cluster_.node(i).Held(space).has_value()) return true;
    }
    return false;
  }

  // Nobody can say that there is no such space while a node is silent. If that is the one that
  // would create the space, it is waited for to the end.
  void ExpectNotFound(ErrorCode code, const std::string& where) const {
    if (dead_ == cluster_.size()) {
      EXPECT_EQ(code, ErrorCode::kNoAssignment) << where;
    } else if (code != ErrorCode::kDeadlineExceeded || !hangs_) {
      EXPECT_EQ(code, ErrorCode::kAllReplicasFailed) << where;
    }
  }

  void Check(size_t entry, const std::string& space, const ScatterAnswer::OfSpace& outcome,
             Tally& tally) {
    const std::string where = space + " of " + Again(entry);
    tally.missing += outcome.answered ? 0 : 1;
    if (space == "nowhere") {
      ExpectNotFound(CodeOf(outcome.error), where);
      return;
    }
    EXPECT_EQ(outcome.answered, HasLiveHolder(space)) << where << ": " << outcome.error;
    if (!outcome.answered) {
      EXPECT_NE(CodeOf(outcome.error), ErrorCode::kWrongNode) << where;
      EXPECT_NE(CodeOf(outcome.error), ErrorCode::kNoAssignment) << where << ": it exists";
    } else if (!moving_) {
      const NodeId by(outcome.by);
      EXPECT_TRUE(cluster_.node(cluster_.IndexOf(by)).Held(space).has_value()) << where;
    }
  }

  const uint64_t seed_;
  std::mt19937_64 choice_;
  SimCluster cluster_;
  size_t dead_;
  bool hangs_ = false;
  bool moving_ = false;
  std::vector<std::string> names_;
};

TEST(ManySpaces, AllThatHaveALiveHolderAnswerWhateverTheTables) {
  const uint64_t tables = FromEnvironment("ENGRAM_SIM_TABLES", 3'000);
  Tally tally;
  for (uint64_t seed = kFirstSeed; seed < kFirstSeed + tables; ++seed) {
    StaleSpaces stale(seed);
    stale.AskEverywhere(tally);
    stale.Run();
  }
  fmt::print("recalls over 11 spaces, stale tables: {} asked, {} answered, {} spaces missing\n",
             tally.asked, tally.answered, tally.missing);
  EXPECT_EQ(tally.answered, tally.asked);
  EXPECT_GT(tally.missing, tally.asked) << "some have no live holder";
}

TEST(ManySpaces, AlsoWhileTheyMove) {
  const uint64_t tables = FromEnvironment("ENGRAM_SIM_TABLES", 500);
  Tally tally;
  for (uint64_t seed = kFirstSeed; seed < kFirstSeed + tables; ++seed) {
    StaleSpaces stale(seed);
    stale.MoveAbout(60, milliseconds(4));
    for (int i = 0; i < 5; ++i) {
      stale.cluster().scheduler().After(milliseconds(30 * i), [&] { stale.AskEverywhere(tally); });
    }
    stale.Run();
  }
  EXPECT_EQ(tally.answered, tally.asked);
}

TEST(ManySpaces, TheSameSeedGivesTheSameTrace) {
  auto trace = [](uint64_t seed) {
    Tally tally;
    StaleSpaces stale(seed);
    stale.MoveAbout(20, milliseconds(5));
    stale.AskEverywhere(tally);
    stale.Run();
    return stale.cluster().scheduler().trace();
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
}

// Nodes 0 to 4; node 0 is asked and knows all. Two copies of "copied-1" and "copied-2", whose
// primary is node 1, on 2 and 3; "single-1" on 1, "single-4" on 4, "here" on 0.
class KnownSpaces : public testing::Test {
 protected:
  KnownSpaces() {
    Place("copied-1", 1, {2});
    Place("copied-2", 1, {3});
    Place("single-1", 1);
    Place("single-4", 4);
    Place("here", 0);
  }
  void Place(const std::string& space, size_t primary, const std::vector<size_t>& replicas = {}) {
    cluster_.Place(space, primary, replicas);
    cluster_.node(0).table().Apply(cluster_.HistoryOf(space));
    names_.push_back(space);
  }
  ScatterAnswer Ask(const ReadPolicy& policy = {}) {
    std::optional<ScatterAnswer> answer;
    cluster_.AskMany(
        0, names_, [&](ScatterAnswer a) { answer = std::move(a); }, policy);
    cluster_.scheduler().Run();
    return answer.value();
  }
  static std::vector<std::string> MissingIn(const ScatterAnswer& answer) {
    std::vector<std::string> missing;
    for (const auto& [space, outcome] : answer.spaces) {
      if (!outcome.answered) missing.push_back(space);
    }
    return missing;
  }
  using Names = std::vector<std::string>;

  SimCluster cluster_{SimOptions{}};
  Names names_;
};

TEST_F(KnownSpaces, EachNodeIsAskedOnce) {
  const ScatterAnswer answer = Ask();
  EXPECT_EQ(MissingIn(answer), Names{});
  EXPECT_EQ(cluster_.node(0).sent(), 2u);
  EXPECT_EQ(answer.stats.hops, 2);
  EXPECT_EQ(answer.attempts.size(), 3u);
}

TEST_F(KnownSpaces, SpacesOfADeadOrHangingNodeGoToTheirOtherHolders) {
  for (Condition condition : {Condition::kDown, Condition::kHung}) {
    cluster_.network().Set(1, condition);
    const ScatterAnswer answer = Ask();
    EXPECT_EQ(MissingIn(answer), Names{"single-1"});
    EXPECT_EQ(answer.spaces.at("copied-1").by, cluster_.id(2).value());
    EXPECT_EQ(answer.spaces.at("copied-2").by, cluster_.id(3).value());
    EXPECT_GE(answer.stats.fallbacks, 2);
  }
}

TEST_F(KnownSpaces, WhatABusyNodeShedsGoesToOtherHoldersOrIsMissingAsOverloaded) {
  cluster_.node(1).shedding() = true;
  for (int i = 0; i < 10; ++i) {
    const ScatterAnswer answer = Ask();
    EXPECT_EQ(MissingIn(answer), Names{"single-1"});
    EXPECT_EQ(CodeOf(answer.spaces.at("single-1").error), ErrorCode::kOverloaded);
    EXPECT_GT(DetailOf(answer.spaces.at("single-1").error).retry_after, Duration::zero());
    EXPECT_EQ(answer.stats.look_ups, 0) << "it is the right node, only busy";
  }
  EXPECT_EQ(cluster_.node(0).nodes().Of(routing::NodeIndex(1)).reads.openings(), 0u);
}

TEST_F(KnownSpaces, WhoIsCutOffAsksNobodyElse) {
  cluster_.node(0).reach() = {true, 1, 5};
  const ScatterAnswer answer = Ask();
  EXPECT_EQ(cluster_.network().sent(), 0u);
  EXPECT_TRUE(answer.spaces.at("here").answered);
  EXPECT_EQ(MissingIn(answer).size(), 4u);
  for (const std::string& space : MissingIn(answer)) {
    EXPECT_EQ(CodeOf(answer.spaces.at(space).error), ErrorCode::kNoLocalData);
    EXPECT_GT(DetailOf(answer.spaces.at(space).error).retry_after, Duration::zero());
  }
  cluster_.node(0).reach() = {false, 5, 5};
  EXPECT_EQ(MissingIn(Ask()), Names{}) << "after the heal";
}

TEST_F(KnownSpaces, ReadPreferencesHold) {
  const ScatterAnswer replicas = Ask({ReadPreference::kReplicaPreferred, true});
  EXPECT_EQ(replicas.spaces.at("copied-1").by, cluster_.id(2).value());
  EXPECT_EQ(replicas.spaces.at("copied-2").by, cluster_.id(3).value());
  cluster_.network().Set(1, Condition::kDown);
  for (const ReadPolicy& policy : {ReadPolicy{ReadPreference::kPrimary, true},
                                   ReadPolicy{ReadPreference::kPrimaryPreferred, false}}) {
    EXPECT_EQ(MissingIn(Ask(policy)), (Names{"copied-1", "copied-2", "single-1"}));
  }
}

}  // namespace
}  // namespace engram::simulation
