#include "engram/placement/ring.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace engram::placement {
namespace {

std::vector<NodeId> Nodes(int n) {
  std::vector<NodeId> nodes;
  for (int i = 0; i < n; ++i) nodes.emplace_back(fmt::format("n{}", i));
  return nodes;
}

std::string Space(int i) { return fmt::format("space-{}", i); }

TEST(Ring, IsTheSameInWhateverOrderTheNodesAreGiven) {
  std::vector<NodeId> nodes = Nodes(5);
  Ring forward(nodes);
  std::reverse(nodes.begin(), nodes.end());
  Ring backward(nodes);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(forward.Holders(Space(i), 3), backward.Holders(Space(i), 3));
  }
}

TEST(Ring, HoldersAreDistinctAndBeginWithTheFirst) {
  Ring ring(Nodes(5));
  for (int i = 0; i < 1000; ++i) {
    std::vector<NodeId> holders = ring.Holders(Space(i), 3);
    ASSERT_EQ(holders.size(), 3u);
    EXPECT_EQ(holders[0], ring.FirstHolder(Space(i)));
    std::sort(holders.begin(), holders.end());
    EXPECT_EQ(std::unique(holders.begin(), holders.end()), holders.end());
  }
}

TEST(Ring, OffersAllNodesWhenFewerThanAskedFor) {
  EXPECT_EQ(Ring(Nodes(2)).Holders("s", 3).size(), 2u);
  EXPECT_TRUE(Ring({}).Holders("s", 3).empty());
}

TEST(Ring, SpreadsSpacesEvenly) {
  Ring ring(Nodes(10));
  std::map<NodeId, int> load;
  for (int i = 0; i < 20'000; ++i) ++load[ring.FirstHolder(Space(i))];
  for (const auto& [node, spaces] : load) {
    EXPECT_GT(spaces, 1'300) << node.value();  // 2,000 each on average
    EXPECT_LT(spaces, 2'700) << node.value();
  }
}

TEST(Ring, ANewNodeTakesOnlyItsShare) {
  Ring before(Nodes(9));
  Ring after(Nodes(10));
  int moved = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (before.FirstHolder(Space(i)) == after.FirstHolder(Space(i))) continue;
    ++moved;
    EXPECT_EQ(after.FirstHolder(Space(i)), NodeId("n9"));  // nothing moves between old nodes
  }
  EXPECT_LT(moved, 1'500);  // 1,000 on average
}

}  // namespace
}  // namespace engram::placement
