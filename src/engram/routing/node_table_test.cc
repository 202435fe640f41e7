#include "engram/routing/node_table.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace engram::routing {
namespace {

TEST(NodeTable, GivesEveryNodeOneNumberForGood) {
  NodeTable nodes;
  NodeIndex a = nodes.Intern(NodeId("a"));
  NodeIndex b = nodes.Intern(NodeId("b"));
  EXPECT_NE(a, b);
  EXPECT_EQ(nodes.Intern(NodeId("a")), a);
  EXPECT_EQ(nodes.Find("b"), b);
  EXPECT_EQ(nodes.Find("c"), std::nullopt);
  EXPECT_EQ(nodes.IdOf(b).value(), "b");
  EXPECT_EQ(nodes.size(), 2u);
}

TEST(NodeTable, StatesStayWhereTheyAreWhileOthersCome) {
  NodeTable nodes;
  NodeState* first = &nodes.Of(nodes.Intern(NodeId("first")));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&nodes] {
      for (int i = 0; i < 500; ++i) {
        std::string name = "node-" + std::to_string(i);
        EXPECT_EQ(nodes.IdOf(nodes.Intern(NodeId(name))).value(), name);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(nodes.size(), 501u);
  EXPECT_EQ(&nodes.Of(*nodes.Find("first")), first);
}

// The order is that of the ids, in whatever order the numbers were given out.
TEST(NodeTable, OrdersVersionsAsTheirIdsDo) {
  NodeTable nodes;
  NodeIndex z = nodes.Intern(NodeId("z"));
  NodeIndex a = nodes.Intern(NodeId("a"));
  auto newer = [&](RouteVersion x, RouteVersion y) {
    EXPECT_EQ(nodes.Newer(x, y), nodes.ToVersion(x) > nodes.ToVersion(y));
    return nodes.Newer(x, y);
  };
  EXPECT_TRUE(newer({1, 1, z}, {1, 9, a}));
  EXPECT_FALSE(newer({1, 9, a}, {1, 1, z}));
  EXPECT_TRUE(newer({2, 0, a}, {1, 9, z}));
  EXPECT_TRUE(newer({1, 2, a}, {1, 1, a}));
  EXPECT_FALSE(newer({1, 2, a}, {1, 2, a}));
  EXPECT_TRUE(newer({0, 1, a}, {}));
}

}  // namespace
}  // namespace engram::routing
