// One node of a simulated cluster that holds copies of one space: the real machine
// (replication/replica.h), a store, a disk, a clock that runs unevenly. It does what a driver does:
// carries out what the machine says, in order, and tells it what came of it.
//
// Owned by its cluster; not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engram/replication/replica.h"
#include "simulation/network.h"
#include "simulation/replicated_store.h"

namespace engram::simulation {

// What all nodes of a cluster share; outlives them.
struct ReplicatedWorld {
  Scheduler& scheduler;
  Network& network;
  std::mt19937_64& random;
  std::vector<NodeId> ids;  // in the ring's order
  Duration disk_max{};      // of one commit
  replication::ReplicaOptions replicas;
  // Called after whatever a node did.
  std::function<void(size_t)> on_step;
  std::function<void(size_t to, const NodeId& from, const replication::ReplicaMessage&)> deliver;
};

// Of a clock that is right, at a time of the scheduler.
WallMillis WallTimeOf(TimePoint now);

struct ReplicatedClock {
  double rate = 1;  // its seconds in one of ours
  int64_t wall_offset_ms = 0;
};

class ReplicatedNode {
 public:
  enum class CommitCrash : uint8_t { kNo, kBefore, kAfter };

  ReplicatedNode(ReplicatedWorld& world, size_t index, std::unique_ptr<SimDisk> disk,
                 const ReplicatedClock& clock);

  void Start();
  // The process ends; what it had asked for is never told.
  void Crash();
  // The power fails, too.
  void LosePower();
  // Takes no step until then, while its clock goes on (SIGSTOP).
  void Stop(TimePoint until);
  // Its next outputs are carried out only up to the `count`-th; then it crashes.
  void CrashAfter(size_t count) { outputs_left_ = count; }
  void CrashInNextCommit(CommitCrash when) { commit_crash_ = when; }
  void FailWrites(absl::Status error) { disk_->FailWrites(std::move(error)); }
  void AllowWrites() { disk_->AllowWrites(); }
  // Nothing of the above comes any more.
  void CalmDown();

  bool is_up() const { return machine_ != nullptr; }
  bool is_stopped() const;
  const NodeId& id() const { return world_.ids[index_]; }
  // REQUIRES: is_up().
  const replication::Replica& machine() const { return *machine_; }
  const ReplicatedStore& store() const { return *store_; }
  // The log as it is stored, which the machine may not have heard of yet. REQUIRES: is_up().
  replication::SpaceLog StoredLog() const;
  // Whether an answer may go without the flag; ask after reading or committing. REQUIRES: is_up().
  bool HasLease() const { return machine_->LeaseUntil() > Local(); }

  void Create();
  void HandOverTo(const NodeId& to);
  void Receive(const NodeId& from, const replication::ReplicaMessage& message);
  // `done` is told unless the node crashes before.
  void Write(SimWrite write, ReplicatedStore::WriteDone done);
  // Runs `done` once a majority has `position`, unless the node crashes or loses office before.
  void AwaitMajority(const Version& position, std::function<void()> done);

  // As time goes on for this node; nothing if it has crashed meanwhile.
  void Later(Duration delay, std::function<void()> event);

 private:
  TimePoint Local() const;
  WallMillis Wall() const;
  void Run(uint64_t life, const std::function<void()>& event);
  void Tick();
  void ScheduleTick();
  void ScheduleCommit();
  void Commit();
  void Tell(const std::vector<std::function<void()>>& told);
  // Whatever has been said to the machine, or the store: does what comes of it.
  void GoOn();
  void CarryOut();
  void CarryOut(replication::Replica::Send& send);
  void CarryOut(replication::Replica::Run& run);
  void TellWhoAwaitsMajority();

  ReplicatedWorld& world_;
  const size_t index_;
  const std::unique_ptr<SimDisk> disk_;
  const ReplicatedClock clock_;

  // Of one life.
  std::unique_ptr<ReplicatedStore> store_;
  std::unique_ptr<replication::Replica> machine_;
  std::multimap<Version, std::function<void()>> awaited_;
  TimePoint tick_at_ = kNever;
  bool committing_ = false;

  uint64_t life_ = 0;
  TimePoint stopped_until_{};
  size_t outputs_left_ = SIZE_MAX;
  CommitCrash commit_crash_ = CommitCrash::kNo;
};

}  // namespace engram::simulation
