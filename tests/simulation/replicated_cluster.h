// The holders of one space in virtual time: real machines on simulated disks, over a network that
// delays, loses, doubles and reorders. After each step it holds what docs/model promises of every
// moment; at the end, what it promises of the end, and the history goes to the checker
// (support/checker.h). A seed gives one run and no other.
//
// Owned by a test; not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "simulation/replicated_clients.h"
#include "simulation/replicated_node.h"
#include "support/history.h"

namespace engram::simulation {

using DiskFactory = std::unique_ptr<SimDisk> (*)(uint64_t seed);

struct ReplicatedOptions {
  uint64_t seed = 1;
  size_t nodes = 3;
  DiskFactory make_disk = nullptr;
  LinkOptions links;
  Duration disk_max = std::chrono::milliseconds(10);
  double clock_rates_apart = 0.2;      // from 0.9 to 1.1
  int64_t wall_offset_max_ms = 5'000;  // either way
};

class ReplicatedCluster {
 public:
  explicit ReplicatedCluster(const ReplicatedOptions& options);
  ReplicatedCluster(const ReplicatedCluster&) = delete;
  ReplicatedCluster& operator=(const ReplicatedCluster&) = delete;

  // Makes the space, with node 0 as primary, and waits until all follow. False: they do not.
  bool Create();
  void RunFor(Duration time) { scheduler_.Run(scheduler_.now() + time); }
  // No trouble any more; runs until all copies are equal, or for a minute. Then holds what must
  // hold of the end.
  void Settle();
  // Its disk is gone for good, and it with it.
  void LoseDisk(size_t i);

  Scheduler& scheduler() { return scheduler_; }
  // As all wall clocks have it that are right.
  WallMillis WallTime() const { return WallTimeOf(scheduler_.now()); }
  Network& network() { return network_; }
  ReplicatedClients& clients() { return clients_; }
  size_t size() const { return nodes_.size(); }
  ReplicatedNode& node(size_t i) { return *nodes_[i]; }
  bool has_disk(size_t i) const { return !lost_.contains(i); }
  size_t lost_disks() const { return lost_.size(); }
  // By hand, what a partition detector would find out: it reaches no strict majority.
  bool IsCutOff(size_t i) const;
  // The one that is primary in the newest epoch.
  std::optional<size_t> Primary() const;

  // From 0 to 1.
  double Share() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  size_t Below(size_t bound) { return random_() % bound; }

  uint64_t offices() const { return offices_.size(); }
  // In the order in which they were found; the first says most.
  const std::vector<std::string>& violations() const { return violations_; }
  uint64_t trace() const { return scheduler_.trace(); }

 private:
  friend class ReplicatedClients;

  void HoldEveryMoment(size_t i);
  void CalmDown();
  bool AllEqual();
  bool AllCollected() const;
  void HoldTheEnd();
  void HoldEqual(size_t first, size_t other);
  void RecordCopies(testing::History& history);
  void Blame(std::string what);
  std::string NameOf(size_t i) const { return world_.ids[i].value(); }

  std::mt19937_64 random_;
  Scheduler scheduler_;
  Network network_;
  ReplicatedWorld world_;
  std::vector<std::unique_ptr<ReplicatedNode>> nodes_;
  ReplicatedClients clients_;
  std::map<uint64_t, size_t> offices_;  // who was primary, by counter
  std::set<size_t> lost_;
  std::vector<std::string> violations_;
};

}  // namespace engram::simulation
