// The plan of chaos is what it says it is.
#include "chaos/faults.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

namespace engram::testing {
namespace {

PlanOptions Half() { return {.nodes = 5, .length = std::chrono::minutes(30)}; }

bool IsValid(const Fault& fault, int nodes) {
  const std::set<int> victims(fault.victims.begin(), fault.victims.end());
  const bool known = std::all_of(victims.begin(), victims.end(),
                                 [&](int node) { return node >= 0 && node < nodes; });
  const bool minority = !victims.empty() && static_cast<int>(2 * victims.size()) < nodes;
  return known && minority && victims.size() == fault.victims.size() && fault.hold.count() > 0;
}

RC_GTEST_PROP(Plan, EveryFaultHitsAMinority, (uint64_t seed)) {
  std::mt19937_64 random(seed);
  for (const Trouble& trouble : MakePlan(Half(), random)) {
    for (const Fault& fault : trouble.faults) RC_ASSERT(IsValid(fault, 5));
  }
}

// Healing one heals them all, and a node that is killed is not stopped as well.
RC_GTEST_PROP(Plan, FaultsAtTheSameTimeDoNotMeet, (uint64_t seed)) {
  std::mt19937_64 random(seed);
  for (const Trouble& trouble : MakePlan(Half(), random)) {
    if (trouble.faults.size() == 1) continue;
    RC_ASSERT(trouble.faults.size() == 2U);
    const Fault& one = trouble.faults.front();
    const Fault& other = trouble.faults.back();
    RC_ASSERT(!(IsOfNetwork(one.kind) && IsOfNetwork(other.kind)));
    if (!IsOfNetwork(one.kind) && !IsOfNetwork(other.kind)) RC_ASSERT(one.victims != other.victims);
  }
}

TEST(Plan, IsTheSameTwice) {
  std::mt19937_64 random(7);
  std::mt19937_64 again(7);
  const auto plan = MakePlan(Half(), random);
  const auto repeated = MakePlan(Half(), again);
  ASSERT_EQ(plan.size(), repeated.size());
  for (size_t i = 0; i < plan.size(); ++i) {
    ASSERT_EQ(plan[i].faults.size(), repeated[i].faults.size());
    EXPECT_EQ(plan[i].peace, repeated[i].peace);
    EXPECT_EQ(plan[i].faults.front().kind, repeated[i].faults.front().kind);
    EXPECT_EQ(plan[i].faults.front().victims, repeated[i].faults.front().victims);
    EXPECT_EQ(plan[i].faults.front().hold, repeated[i].faults.front().hold);
  }
}

TEST(Plan, HalfAnHourHasEveryKindAndBothSplits) {
  std::mt19937_64 random(1);
  std::set<FaultKind> kinds;
  std::set<size_t> split_off;
  for (const Trouble& trouble : MakePlan(Half(), random)) {
    for (const Fault& fault : trouble.faults) {
      kinds.insert(fault.kind);
      if (fault.kind == FaultKind::kSplit) split_off.insert(fault.victims.size());
    }
  }
  EXPECT_EQ(kinds.size(), kFaultKinds.size());
  EXPECT_EQ(split_off, (std::set<size_t>{1, 2}));
}

// What a quorum has acknowledged is owed while a majority of three disks survive.
RC_GTEST_PROP(Plan, OneDiskIsLostAtMost, (uint64_t seed)) {
  std::mt19937_64 random(seed);
  int lost = 0;
  for (const Trouble& trouble : MakePlan(Half(), random)) {
    for (const Fault& fault : trouble.faults) lost += fault.kind == FaultKind::kLostDisk ? 1 : 0;
  }
  RC_ASSERT(lost <= 1);
}

TEST(Plan, OnlyTheKindsThatAreAskedFor) {
  std::mt19937_64 random(1);
  PlanOptions options = Half();
  options.kinds = {FaultKind::kPause};
  for (const Trouble& trouble : MakePlan(options, random)) {
    for (const Fault& fault : trouble.faults) EXPECT_EQ(fault.kind, FaultKind::kPause);
  }
}

}  // namespace
}  // namespace engram::testing
