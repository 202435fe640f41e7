// A cluster of three nodes with a space that two of them can serve: a primary and a replica, placed
// by the test itself until replication does it. The third, the entry node, knows of both.
//
// Single-threaded use, but for Asker().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/test_hooks.h"

namespace engram::testing {

class TwoCopies {
 public:
  static constexpr int kEntry = 0;
  static constexpr int kPrimary = 1;
  static constexpr int kReplica = 2;
  // The only memory of a space, at both of its holders.
  static constexpr char kMemory[] = "tea";
  static constexpr char kContent[] = "tea is at four";

  // `flags` are more of `engram serve`; hooks for tests are on.
  explicit TwoCopies(const std::vector<std::string>& flags = {},
                     const std::vector<std::string>& spaces = {"two-copies"});

  const std::string& space() const { return spaces_.front(); }
  TestCluster& cluster() { return cluster_; }
  TestHooks& hooks() { return hooks_; }
  std::string Primary() const { return cluster_.Name(kPrimary); }
  std::string Replica() const { return cluster_.Name(kReplica); }

  // A client of one node.
  std::unique_ptr<client::Client> Asker(
      int node = kEntry, std::optional<client::ReadPreference> preference = std::nullopt) const;

  double Counted(const std::string& series, int node = kEntry) const;
  // 0 closed, 1 half-open, 2 open: the entry node's breaker of the primary.
  double BreakerState(const std::string& operations) const;

 private:
  // The space's memory is stored while the node is its primary.
  void Copy(const std::string& space, int node, uint64_t counter);

  const std::vector<std::string> spaces_;
  TestCluster cluster_;
  TestHooks hooks_{cluster_};
};

}  // namespace engram::testing
