// A simulated cluster of nodes that look for their cluster: the real Joiner of each node, with what
// its driver (cluster/control_plane) adds that matters: calls with limits, dialling back to who
// wants to join, and what of it is on disk. Of membership there is only a list of who is known.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/membership/joiner.h"
#include "simulation/network.h"

namespace engram::simulation {

struct JoinSimOptions {
  size_t nodes = 3;
  uint64_t seed = 1;
  // Of the segments of a connection; each is sent again, later and later, as TCP does.
  double loss = 0;
};

// What a node is configured with.
struct JoinConfig {
  std::vector<size_t> seeds;
  bool bootstrap = false;
};

class JoinCluster {
 public:
  explicit JoinCluster(const JoinSimOptions& options);
  ~JoinCluster() { scheduler_.Clear(); }

  Network& network() { return network_; }
  std::mt19937_64& random() { return random_; }
  size_t size() const { return nodes_.size(); }
  TimePoint now() const { return scheduler_.now(); }
  void Run(Duration length) { scheduler_.Run(now() + length); }

  void Configure(size_t i, JoinConfig config) { nodes_[i].config = std::move(config); }
  // REQUIRES: it does not run.
  void Start(size_t i);
  void Kill(size_t i);
  // Loses what is on its disk. REQUIRES: it does not run.
  void Wipe(size_t i) { nodes_[i].disk = {}; }
  // Both ways, between each of `side` and everybody else.
  void Split(const std::vector<size_t>& side);

  bool IsRunning(size_t i) const { return nodes_[i].joiner != nullptr; }
  // It runs, belongs to a cluster, and another member has told it what is new, if it knows one.
  bool HasJoined(size_t i) const;
  bool AllHaveJoined() const;
  bool HasFounded(size_t i) const { return nodes_[i].has_founded; }
  // Ids of all clusters that were ever founded.
  const std::vector<std::string>& founded() const { return founded_; }
  // Nodes that gave up.
  size_t refused() const { return refused_; }

 private:
  struct Disk {
    std::string cluster_id;
    std::set<std::string> members;
  };
  struct Node {
    NodeId id;
    JoinConfig config;
    Disk disk;
    std::unique_ptr<membership::Joiner> joiner;  // null: not running
    std::set<std::string> members;               // known, by address
    bool has_founded = false;
    uint64_t life = 0;
    TimePoint wake = kNever;
  };
  using Answer = absl::StatusOr<membership::JoinAnswer>;
  using Done = std::function<void(const Answer&)>;

  // `done` is called once, at the latest after `limit`, if the caller lives so long.
  void Call(size_t from, size_t to, Duration limit, std::function<void(Done)> serve, Done done);
  void Deliver(size_t from, size_t to, std::function<void()> arrive, std::function<void()> refused);
  void ServeJoin(size_t at, size_t from, const std::string& cluster_id, const Done& done);
  membership::JoinAnswer AnswerOf(size_t at) const;

  void Tick(size_t i);
  void Settle(size_t i);
  void Do(size_t i, const membership::Joiner::Ask& ask);
  void Do(size_t i, const membership::Joiner::Joined& joined);
  void Do(size_t i, const membership::Joiner::Found& found);
  void Do(size_t i, const membership::Joiner::Refused& refused);
  void Know(size_t i, const std::string& address);
  std::vector<std::string> AddressesToAsk(const Node& node) const;
  static size_t IndexOf(const std::string& address);

  Scheduler scheduler_;
  std::mt19937_64 random_;
  Network network_;
  const double loss_;
  std::vector<Node> nodes_;
  std::vector<std::string> founded_;
  size_t refused_ = 0;
};

}  // namespace engram::simulation
