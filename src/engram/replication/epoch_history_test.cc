#include "engram/replication/epoch_history.h"

#include <gtest/gtest.h>

#include <utility>

namespace engram::replication {
namespace {

using Rows = std::vector<std::pair<uint64_t, uint64_t>>;  // counter, last sequence

Version At(uint64_t counter, uint64_t sequence) {
  return {{counter, NodeId("p" + std::to_string(counter))}, sequence};
}

EpochHistory Of(const Rows& rows) {
  EpochHistory history;
  for (const auto& [counter, last] : rows) {
    for (uint64_t sequence = 1; sequence <= last; ++sequence) history.Append(At(counter, sequence));
  }
  return history;
}

TEST(EpochHistory, GrowsBySequenceOrByEpoch) {
  EpochHistory history;
  EXPECT_FALSE(history.MayAppend(At(1, 2))) << "an epoch begins with 1";
  EXPECT_FALSE(history.MayAppend(Version()));
  history = Of({{1, 3}});
  EXPECT_TRUE(history.MayAppend(At(1, 4)));
  EXPECT_FALSE(history.MayAppend(At(1, 3)));
  EXPECT_FALSE(history.MayAppend(At(1, 5))) << "a gap";
  EXPECT_TRUE(history.MayAppend(At(4, 1)));
  EXPECT_FALSE(history.MayAppend(At(4, 2)));
  history.Append(At(4, 1));
  EXPECT_FALSE(history.MayAppend(At(3, 1))) << "an older epoch";
  EXPECT_EQ(history.last(), At(4, 1));
}

TEST(EpochHistory, IsMadeAgainOfItsRows) {
  const EpochHistory history = Of({{1, 3}, {4, 2}});
  EXPECT_EQ(EpochHistory::FromRows(history.rows()), history);
  EXPECT_EQ(EpochHistory::FromRows({}), EpochHistory());
  EXPECT_FALSE(EpochHistory::FromRows({At(4, 2), At(1, 3)}).has_value()) << "out of order";
  EXPECT_FALSE(EpochHistory::FromRows({At(1, 2), At(1, 3)}).has_value()) << "an epoch twice";
  EXPECT_FALSE(EpochHistory::FromRows({At(1, 0)}).has_value()) << "an epoch without an entry";
  EXPECT_FALSE(EpochHistory::FromRows({{{}, 1}}).has_value()) << "no epoch";
}

TEST(EpochHistory, ContainsWhatItWasMadeOf) {
  const EpochHistory history = Of({{1, 3}, {4, 2}});
  EXPECT_TRUE(history.Contains(At(1, 1)));
  EXPECT_TRUE(history.Contains(At(1, 3)));
  EXPECT_FALSE(history.Contains(At(1, 4)));
  EXPECT_FALSE(history.Contains(At(2, 1)));
  EXPECT_TRUE(history.Contains(At(4, 2)));
  EXPECT_FALSE(history.Contains(At(5, 1)));
  EXPECT_FALSE(history.Contains(Version()));
  EXPECT_FALSE(history.Contains({{1, NodeId("another creator")}, 1}));
}

TEST(EpochHistory, ADeposedPrimarysTailBeginsWhereTheNewOneTookOver) {
  const EpochHistory deposed = Of({{1, 5}});
  const EpochHistory primary = Of({{1, 3}, {2, 4}});
  EXPECT_EQ(deposed.CommonWith(primary), At(1, 3));
  EXPECT_EQ(primary.CommonWith(deposed), At(1, 3));
}

TEST(EpochHistory, AFollowerThatIsOnlyBehindHasNoTail) {
  const EpochHistory primary = Of({{1, 3}, {2, 4}});
  EXPECT_EQ(Of({{1, 2}}).CommonWith(primary), At(1, 2));
  EXPECT_EQ(Of({{1, 3}, {2, 1}}).CommonWith(primary), At(2, 1));
  EXPECT_EQ(primary.CommonWith(primary), At(2, 4));
  EXPECT_EQ(EpochHistory().CommonWith(primary), Version());
}

TEST(EpochHistory, ATailMayBeAWholeEpoch) {
  // Was primary of 2, reached nobody, and 3 was made without it.
  const EpochHistory alone = Of({{1, 3}, {2, 7}});
  EXPECT_EQ(alone.CommonWith(Of({{1, 3}, {3, 1}})), At(1, 3));
  EXPECT_EQ(alone.CommonWith(Of({{1, 2}, {3, 1}})), At(1, 2));
}

TEST(EpochHistory, LogsOfTwoCreatorsHaveNothingInCommon) {
  EpochHistory another;
  another.Append({{1, NodeId("another creator")}, 1});
  EXPECT_EQ(another.CommonWith(Of({{1, 1}})), Version());
}

TEST(EpochHistory, IsCutWithinAnEpochAtItsEndAndToNothing) {
  EpochHistory history = Of({{1, 3}, {2, 7}, {4, 1}});
  history.CutAfter(At(2, 7));
  EXPECT_EQ(history, Of({{1, 3}, {2, 7}}));
  history.CutAfter(At(1, 2));
  EXPECT_EQ(history, Of({{1, 2}}));
  history.CutAfter(Version());
  EXPECT_EQ(history, EpochHistory());
}

TEST(EpochHistory, KnowsWhatComesAfterEachPosition) {
  const NodeId node("a");
  const Epoch first{1, node};
  const Epoch third{3, node};
  const EpochHistory history = *EpochHistory::FromRows({{first, 2}, {third, 1}});
  EXPECT_EQ(history.After({}), (Version{first, 1}));
  EXPECT_EQ(history.After({first, 1}), (Version{first, 2}));
  EXPECT_EQ(history.After({first, 2}), (Version{third, 1}));
  EXPECT_EQ(history.After({third, 1}), std::nullopt);
  EXPECT_EQ(EpochHistory().After({}), std::nullopt);
}

}  // namespace
}  // namespace engram::replication
