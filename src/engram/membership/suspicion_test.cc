#include "engram/membership/suspicion.h"

#include <gtest/gtest.h>

#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

Duration TimeOutOf(size_t members, int accusers, const SuspicionOptions& options = {}) {
  Suspicion suspicion(options, seconds(1), members, kStart);
  for (int i = 0; i < accusers; ++i) suspicion.Accuse(NodeId("n" + std::to_string(i)));
  return suspicion.due() - kStart;
}

TEST(Suspicion, ShrinksWithConfirmations) {
  EXPECT_EQ(TimeOutOf(5, 1), seconds(24));
  // 24 - 20 * log(2) / log(3)
  EXPECT_NEAR(std::chrono::duration<double>(TimeOutOf(5, 2)).count(), 11.381, 0.001);
  EXPECT_EQ(TimeOutOf(5, 3), seconds(4));
  EXPECT_EQ(TimeOutOf(5, 8), seconds(4));
}

TEST(Suspicion, GrowsWithTheClustersSize) {
  EXPECT_EQ(TimeOutOf(10, 3), seconds(4));
  EXPECT_EQ(TimeOutOf(100, 3), seconds(8));
  EXPECT_EQ(TimeOutOf(1000, 3), seconds(12));
  EXPECT_EQ(TimeOutOf(1000, 1), seconds(72));
}

TEST(Suspicion, WaitsForNoConfirmationsThatCannotCome) {
  EXPECT_EQ(TimeOutOf(2, 1), seconds(4));
  EXPECT_EQ(TimeOutOf(3, 1), seconds(4));
  EXPECT_EQ(TimeOutOf(4, 1), seconds(24));
}

TEST(Suspicion, IsFixedInPlainSwim) {
  const SuspicionOptions plain{4, 1};
  EXPECT_EQ(TimeOutOf(100, 1, plain), seconds(8));
  EXPECT_EQ(TimeOutOf(100, 3, plain), seconds(8));
}

TEST(Suspicion, EachAccuserCountsOnce) {
  Suspicion suspicion({}, seconds(1), 10, kStart);
  EXPECT_TRUE(suspicion.Accuse(NodeId("b")));
  EXPECT_FALSE(suspicion.Accuse(NodeId("b")));
  EXPECT_TRUE(suspicion.Accuse(NodeId("a")));
  EXPECT_TRUE(suspicion.Accuse(NodeId("c")));
  EXPECT_FALSE(suspicion.Accuse(NodeId("d"))) << "makes it no shorter";
  EXPECT_EQ(suspicion.accusers(), (std::vector{NodeId("a"), NodeId("b"), NodeId("c")}));
}

TEST(Suspicion, TimeThatDidNotCountIsGivenBack) {
  Suspicion suspicion({}, seconds(1), 3, kStart);
  suspicion.Postpone(seconds(30));
  EXPECT_EQ(suspicion.due(), kStart + seconds(34));
}

}  // namespace
}  // namespace engram::membership
