// SPEC R12 with real processes: a node that is told to be cut off serves what it holds, flagged,
// and refuses the rest at once. Who will tell it is membership; here it is the test.
#include <gtest/gtest.h>

#include "engram/base/error.h"
#include "support/requests.h"
#include "support/two_copies.h"

namespace engram::testing {
namespace {

constexpr char kRefused[] =
    R"(engram_routing_request_duration_seconds_count{strategy="local_only",outcome="no_local_data"})";

TEST(CutOff, ServesAndFlagsWhatItHoldsAndRefusesTheRestUntilItIsHealed) {
  TwoCopies copies;
  const auto get = MakeGet(copies.space(), TwoCopies::kMemory);
  copies.hooks().Reach(TwoCopies::kReplica, 1, 3);
  auto at_replica = copies.Asker(TwoCopies::kReplica);
  auto got = at_replica->Get(get);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->served_by, copies.Replica());
  EXPECT_TRUE(got->degraded);
  auto recalled = at_replica->Recall(MakeRecall(copies.space(), "tea"));
  ASSERT_TRUE(recalled.ok()) << recalled.status();
  EXPECT_NEAR(recalled->message.confidence(), 1 - 0.5 * (1 - 1.0 / 3), 1e-6);

  copies.hooks().Reach(TwoCopies::kEntry, 1, 3);
  auto at_entry = copies.Asker();
  const absl::Status refused = at_entry->Get(get).status();
  EXPECT_EQ(CodeOf(refused), ErrorCode::kNoLocalData) << refused;
  EXPECT_GT(DetailOf(refused).retry_after, Duration::zero());
  EXPECT_EQ(copies.Counted(kRefused), 1);

  copies.hooks().Reach(TwoCopies::kEntry, 2, 3);
  got = at_entry->Get(get);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_FALSE(got->degraded);
}

}  // namespace
}  // namespace engram::testing
