// A simulated cluster of membership machines: the real Swim and PartitionDetector of each node, and
// the routing table that gossip fills, with the network and the timers of tests/simulation.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engram/cluster/testing/gossiped_table.h"
#include "engram/membership/partition_detector.h"
#include "engram/membership/swim.h"
#include "engram/membership/testing/map_record_store.h"
#include "simulation/network.h"

namespace engram::simulation {

struct SwimSimOptions {
  size_t nodes = 5;
  uint64_t seed = 1;
  LinkOptions link;
  membership::SwimOptions swim;
  membership::PartitionOptions partition;
};

// SWIM as it was before Lifeguard: a fixed suspicion time-out, no doubt about itself.
membership::SwimOptions PlainSwim();

// Whether a change sets out as news, or is left to be found, as when a request brings it.
enum class Tell : uint8_t { kAsNews, kNobody };

// What a node has said of another one.
struct SwimEvent {
  TimePoint at;
  size_t observer;
  size_t subject;
  membership::Change change;
};

class SwimCluster {
 public:
  explicit SwimCluster(const SwimSimOptions& options);
  ~SwimCluster() { scheduler_.Clear(); }

  Scheduler& scheduler() { return scheduler_; }
  Network& network() { return network_; }
  std::mt19937_64& random() { return random_; }
  size_t size() const { return nodes_.size(); }
  TimePoint now() const { return scheduler_.now(); }

  // Starts a node that knows nobody but the state of an earlier life, if it has one; it joins
  // through `seed`, if one is given. A life begins above the incarnations of those before it.
  void Start(size_t i, std::optional<size_t> seed = std::nullopt);
  // All at once, each knowing everybody.
  void StartFormed();
  void Kill(size_t i);
  void Leave(size_t i) {
    With(i, [&](auto& swim) { swim.Leave(now()); });
  }
  // As by SIGSTOP and SIGCONT.
  void Pause(size_t i, Duration length);
  // Both ways, between each of `side` and everybody else.
  void Split(const std::vector<size_t>& side);
  void Run(Duration length) { scheduler_.Run(now() + length); }

  // A change of an assignment at a running node, on its disk at once.
  void Put(size_t i, const placement::Assignment& assignment, Tell tell = Tell::kAsNews);
  // What requests at the node are routed by. A life begins with what is on the disk.
  const routing::RoutingTable& table(size_t i) const { return nodes_[i].records->table; }

  bool IsRunning(size_t i) const { return nodes_[i].swim != nullptr; }
  const membership::Swim& swim(size_t i) const { return *nodes_[i].swim; }
  const membership::PartitionDetector& partition(size_t i) const { return *nodes_[i].partition; }
  // What `observer` holds of `subject`; nullopt if it has never heard of it.
  std::optional<membership::MemberState> StateOf(size_t observer, size_t subject) const;
  // How many running nodes other than `subject` hold it in that state.
  size_t HoldIt(size_t subject, membership::MemberState state) const;
  // All running nodes know exactly each other as alive, and say the same of everybody.
  bool Agree() const;

  const std::vector<SwimEvent>& events() const { return events_; }
  // Deaths that running nodes declared of running nodes.
  size_t FalseDeaths() const { return false_deaths_; }
  size_t datagram_bytes_max() const { return datagram_bytes_max_; }

 private:
  struct Node {
    NodeId id;
    std::unique_ptr<std::mt19937_64> random;
    std::unique_ptr<cluster::GossipedTable> records;         // of this life, or the last one
    membership::MapRecordStore disk;                         // what it has written of them
    std::unique_ptr<membership::Swim> swim;                  // null: not running
    std::optional<membership::PartitionDetector> partition;  // there when `swim` is
    membership::Incarnation incarnation{};
    std::string stored;  // the full state when it ended
    TimePoint paused_until{};
    TimePoint wake = kNever;  // when an event will tick it
    uint64_t life = 0;
  };

  template <class Feed>
  void With(size_t i, Feed feed) {
    if (!IsRunning(i)) return;
    feed(*nodes_[i].swim);
    Settle(i);
  }
  // Carries out what the machine asks for, until it asks for nothing more.
  void Settle(size_t i);
  void WriteToDisk(size_t i);
  void ScheduleWake(size_t i);
  void Wake(size_t i, uint64_t life);
  void Exchange(size_t from, size_t to);
  void CompareRecords(size_t from, size_t to);
  void Note(size_t i, const membership::Swim::Changed& changed);
  size_t IndexOf(const NodeId& id) const;
  size_t IndexOf(const std::string& address) const { return IndexOf(NodeId(address)); }
  membership::Self SelfOf(const Node& node) const;

  void Do(size_t i, const membership::Swim::Send& send);
  void Do(size_t i, const membership::Swim::StartFallback& fallback);
  void Do(size_t i, const membership::Swim::StartExchange& exchange);
  void Do(size_t i, const membership::Swim::Changed& changed) { Note(i, changed); }
  void Do(size_t i, const membership::Swim::NewIncarnation& n) {
    nodes_[i].incarnation = n.incarnation;
  }

  const SwimSimOptions options_;
  Scheduler scheduler_;
  std::mt19937_64 random_;
  Network network_;
  std::vector<Node> nodes_;
  std::vector<SwimEvent> events_;
  size_t false_deaths_ = 0;
  size_t datagram_bytes_max_ = 0;
};

}  // namespace engram::simulation
