// What the nodes of a cluster say of each other, and what they log about it. For tests of
// membership.
//
// Single-threaded use.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engram/v1/cluster.pb.h"
#include "support/cluster.h"

namespace engram::testing {

// What node `at` says of itself and of its cluster; empty if it does not answer.
v1::GetStatusResponse StatusOf(const TestCluster& cluster, int at);
// What node `at` says of node `about`; empty if it does not list it, or does not answer.
v1::NodeInfo InfoOf(const TestCluster& cluster, int at, int about);

// Each of these says so.
bool AllSee(const TestCluster& cluster, const std::vector<int>& at, int about, v1::NodeState state);
bool AllCount(const TestCluster& cluster, const std::vector<int>& at, uint32_t total);
// They know the space's assignment, and do not only propose one by the ring.
bool AllKnow(const TestCluster& cluster, const std::vector<int>& at, const std::string& space);
// They answer for the memory.
bool AllGet(const TestCluster& cluster, const std::vector<int>& at, const std::string& space,
            const std::string& id);

// Without `without`, from all of the cluster's.
std::vector<int> Others(const TestCluster& cluster, int without);

// How many times node `at` has logged "event=EVENT node=ABOUT", in all its lives.
size_t Logged(const TestCluster& cluster, int at, const std::string& event, int about);
// The same about any node, or about none.
size_t Logged(const TestCluster& cluster, int at, const std::string& event);

// Prints how long something took, for people: on a loaded machine it says nothing about the nodes.
class Stopwatch {
 public:
  void Print(const std::string& what) const;

 private:
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace engram::testing
