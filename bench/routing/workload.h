// What the benches of the routing table share: spaces with realistic names, their routes, changes.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "engram/placement/assignment.h"
#include "engram/routing/node_table.h"
#include "engram/routing/route.h"

namespace engram::bench {

// Names of 20 to 30 bytes, made at run time; 10 nodes, 3 copies of each space.
class Workload {
 public:
  static constexpr size_t kNodes = 10;
  static constexpr size_t kCopies = 3;

  explicit Workload(size_t spaces) {
    for (size_t n = 0; n < kNodes; ++n) {
      ids_[n] = NodeId(fmt::format("01j8zq5t9x2m4k7node{:07}", n));
      numbers_[n] = nodes_.Intern(ids_[n]);
    }
    static constexpr std::array kKinds = {"notes", "chat", "agent", "customer", "meeting"};
    std::mt19937_64 random(7);
    names_.reserve(spaces);
    for (size_t i = 0; i < spaces; ++i) {
      std::string name = fmt::format("{}-{:x}.", kKinds[i % kKinds.size()], i);
      const size_t length = std::max<size_t>(name.size(), 20 + random() % 11);
      while (name.size() < length) name.push_back(static_cast<char>('a' + random() % 26));
      names_.push_back(std::move(name));
    }
    queries_ = names_;
    std::shuffle(queries_.begin(), queries_.end(), random);
  }

  size_t size() const { return names_.size(); }
  const std::string& name(size_t space) const { return names_[space]; }
  // Every name once, in random order; the strings lie in this order in memory, as a request's name
  // lies in the request.
  const std::vector<std::string>& queries() const { return queries_; }
  routing::NodeTable& nodes() { return nodes_; }

  // The space's assignment after `changes` changes, by numbers and by names.
  routing::Route RouteOf(size_t space, uint64_t changes) const {
    routing::Route route;
    auto holder = [&](size_t r) { return numbers_[HolderOf(space, changes, r)]; };
    route.version = {1, changes + 1, holder(0)};
    route.primary = holder(0);
    for (size_t r = 1; r < kCopies; ++r) route.replica[route.replica_count++] = holder(r);
    return route;
  }
  placement::Assignment AssignmentOf(size_t space, uint64_t changes) const {
    placement::Assignment a;
    auto holder = [&](size_t r) { return ids_[HolderOf(space, changes, r)]; };
    a.space = SpaceId(names_[space]);
    a.primary = holder(0);
    a.version = {{1, holder(0)}, changes + 1};
    for (size_t r = 1; r < kCopies; ++r) a.replicas.push_back(holder(r));
    return a;
  }

 private:
  // A change gives the last copy to another node; the primary stays, or its epoch would be another.
  static size_t HolderOf(size_t space, uint64_t changes, size_t copy) {
    const size_t first = space * 7 % kNodes;
    if (copy + 1 < kCopies) return (first + copy) % kNodes;
    return (first + copy + changes % (kNodes - kCopies)) % kNodes;
  }

  routing::NodeTable nodes_;
  std::array<NodeId, kNodes> ids_;
  std::array<routing::NodeIndex, kNodes> numbers_{};
  std::vector<std::string> names_;
  std::vector<std::string> queries_;
};

// A diff, in the form that each of the tables takes; made before the clock runs.
struct Diff {
  struct Change {
    const std::string* space;
    routing::Route route;
  };
  std::vector<Change> numbered;
  std::vector<placement::Assignment> named;
};

// Random diffs of which each is newer than those before.
class DiffSource {
 public:
  explicit DiffSource(const Workload& workload) : workload_(workload) {}

  Diff Next(size_t changes) {
    ++round_;
    Diff diff;
    for (size_t i = 0; i < changes; ++i) {
      const size_t space = random_() % workload_.size();
      diff.numbered.push_back({&workload_.name(space), workload_.RouteOf(space, round_)});
      diff.named.push_back(workload_.AssignmentOf(space, round_));
    }
    return diff;
  }

 private:
  const Workload& workload_;
  std::mt19937_64 random_{11};
  uint64_t round_ = 0;
};

}  // namespace engram::bench
