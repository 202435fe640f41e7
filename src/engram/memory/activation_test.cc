#include "engram/memory/activation.h"

#include <gtest/gtest.h>

#include "engram/memory/ranking.h"

namespace engram::memory {
namespace {

class Activation : public ::testing::Test {
 protected:
  void Link(std::string_view from, std::string_view to, double weight) {
    const IdNumber number = documents_.Number(from);
    links_.Set(number, {documents_.Number(to), weight});
  }
  Arrivals SpreadFrom(const std::vector<std::pair<std::string, double>>& seeds) {
    std::vector<Seed> numbered;
    for (const auto& [id, activation] : seeds) {
      numbered.push_back({documents_.Number(id), activation});
    }
    return Spread(numbered, links_, documents_);
  }
  const Arrival* At(const Arrivals& arrivals, std::string_view id) {
    auto found = arrivals.find(documents_.Number(id));
    return found == arrivals.end() ? nullptr : &found->second;
  }

  DocumentTable documents_;
  LinkTable links_;
};

TEST_F(Activation, HalvesPerHopAndStopsAfterTwo) {
  Link("a", "b", 1.0);
  Link("b", "c", 0.5);
  Link("c", "d", 1.0);
  const Arrivals arrivals = SpreadFrom({{"a", 1.0}});
  EXPECT_DOUBLE_EQ(At(arrivals, "b")->activation, 0.5);
  EXPECT_DOUBLE_EQ(At(arrivals, "c")->activation, 0.125);
  EXPECT_EQ(At(arrivals, "c")->via, documents_.Number("b"));
  EXPECT_EQ(At(arrivals, "d"), nullptr);
}

TEST_F(Activation, AddsUpAndNamesTheStrongestSource) {
  Link("a", "c", 0.4);
  Link("b", "c", 0.6);
  const Arrivals arrivals = SpreadFrom({{"a", 1.0}, {"b", 0.9}});
  EXPECT_DOUBLE_EQ(At(arrivals, "c")->activation, 0.2 + 0.27);
  EXPECT_EQ(At(arrivals, "c")->via, documents_.Number("b"));
  EXPECT_DOUBLE_EQ(At(arrivals, "c")->source_activation, 0.9);
}

TEST_F(Activation, WeakContributionsAreDropped) {
  Link("a", "b", 0.09);
  EXPECT_EQ(At(SpreadFrom({{"a", 1.0}}), "b"), nullptr);
}

TEST_F(Activation, CirclesDoNotAmplify) {
  Link("a", "b", 1.0);
  Link("b", "a", 1.0);
  Link("a", "a", 1.0);
  const Arrivals arrivals = SpreadFrom({{"a", 1.0}});
  EXPECT_DOUBLE_EQ(At(arrivals, "b")->activation, 0.5);
  EXPECT_DOUBLE_EQ(At(arrivals, "a")->activation, 0.25);
}

TEST_F(Activation, FollowsOnlyTheStrongestLinks) {
  for (size_t i = 0; i < 2 * kFanOut; ++i) {
    Link("a", "t" + std::to_string(i), i < kFanOut ? 0.5 : 1.0);
  }
  const Arrivals arrivals = SpreadFrom({{"a", 1.0}});
  EXPECT_EQ(arrivals.size(), kFanOut);
  EXPECT_EQ(At(arrivals, "t0"), nullptr);
  EXPECT_NE(At(arrivals, "t" + std::to_string(kFanOut)), nullptr);
}

}  // namespace
}  // namespace engram::memory
