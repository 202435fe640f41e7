// Drives the replicas of all spaces that this node holds: gives the machines
// (replication/replica.h) time, messages and what the store says, carries out what they ask for,
// and publishes what requests read.
//
// All of it runs on one event loop of its own, the replication loop, so that neither a burst of
// writes delays membership nor the other way round.
//
// Thread-safety: Load() before the loop starts; what says "any thread", from any; the rest on the
// loop. Destroyed when the loop has been stopped; the store must not call it any more then.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "engram/base/mutex.h"
#include "engram/base/string_hash.h"
#include "engram/cluster/replica_views.h"
#include "engram/cluster/replication_counters.h"
#include "engram/net/event_loop.h"
#include "engram/placement/assignment.h"
#include "engram/replication/replica.h"
#include "engram/routing/ack.h"

namespace engram::cluster {

// What it works with; all of it outlives it.
struct ReplicatorPorts {
  net::EventLoop& loop;
  replication::LogPort& log;
  ReplicaViews& views;
  // On the loop. To another node; may be lost.
  std::function<void(const NodeId&, const SpaceId&, replication::ReplicaMessage)> send;
  // On the loop, when what this node holds of a space has changed: its own role now, and the
  // assignment that stands in its log, if that is new; for the tables.
  struct Held {
    placement::Assignment role;
    std::optional<placement::Assignment> logged;
  };
  std::function<void(const Held&)> publish;
  ReplicationCounters& counters;
};

// How far another holder is behind this node, of all spaces whose primary this node is.
struct ReplicaLag {
  uint64_t spaces = 0;  // in which it lacks something, or does not follow
  uint64_t entries = 0;
  uint64_t bytes = 0;  // about
  Duration time{};     // the longest of any space
};
using ReplicaLags = std::map<NodeId, ReplicaLag>;

class Replicator {
 public:
  Replicator(NodeId self, const replication::ReplicaOptions& options, ReplicatorPorts ports,
             uint64_t seed);

  // Makes a machine for each space of the store, and publishes what is held.
  void Load();

  // --- any thread

  using Done = absl::AnyInvocable<void(absl::Status)>;

  // Makes the space with `holders`, this node among them, which is its primary when `done` is
  // called with OK, on the loop. A space that is there already is none of its errors; that another
  // node is its primary is kWrongNode. No majority before `deadline` (of EventLoop::Now()):
  // kNoLocalData.
  void Create(const SpaceId& space, std::vector<NodeId> holders, TimePoint deadline, Done done);

  // Calls `done`, on the loop, once the write at `origin` is held as `ack` asks. kUndetermined if
  // this node is not primary any more, or at `deadline`.
  void WaitFor(const SpaceId& space, const Version& origin, routing::Ack ack, TimePoint deadline,
               Done done);

  // Hands the office of the space over to `to`. OK when that has taken it.
  void HandOver(const SpaceId& space, const NodeId& to, TimePoint deadline, Done done);
  // Every office of this node, each to the holder that is closest behind; `done` when nothing is
  // left to hand over, or at `deadline`.
  void HandOverAll(TimePoint deadline, absl::AnyInvocable<void()> done);

  // As of about half a second ago.
  ReplicaLags Lags() const {
    ReaderLock lock(&mutex_);
    return lags_;
  }

  // The store has committed writes of clients to these spaces; called by its thread.
  void OnCommitted(std::span<const SpaceId> spaces);
  // The store takes no more writes; called by its thread.
  void OnStoreFailed();

  // --- on the loop

  void OnMessage(const NodeId& from, const SpaceId& space,
                 const replication::ReplicaMessage& message);
  void OnPortRefused(const NodeId& node);

 private:
  struct Waiting {
    enum class For : uint8_t { kMajority, kAll, kOffice, kNewEpoch };
    For what = For::kMajority;
    Version origin;        // of a write
    uint64_t counter = 0;  // of the epoch when it began to wait
    TimePoint deadline = kNever;
    Done done;
  };
  struct Space {
    explicit Space(replication::Replica r) : replica(std::move(r)) {}
    replication::Replica replica;
    ReplicaView* view = nullptr;
    // As published: the assignment in the log, what this node is bound to, and its role by that.
    Version published;
    replication::HolderState bound;
    placement::Assignment role;
    uint64_t pieces_compared = 0;  // as counted
    uint64_t pieces_mended = 0;
    Version may_trim;          // as told to the store
    TimePoint armed = kNever;  // when it is in `wakes_`
    std::vector<Waiting> waiting;
  };

  Space* Find(const SpaceId& space);
  // `is_new`: of a space of which nothing is stored, that it is being made.
  Space& Make(const SpaceId& space, const std::vector<NodeId>& proposed, bool is_new = false);
  Space* FindOrMakeFor(const SpaceId& space, const replication::ReplicaMessage& message);

  // Whatever has happened to it: carries out, publishes, answers who waits, and arms.
  void Settle(Space& space);
  void Do(Space& space, replication::Replica::Send& send);
  void Do(Space& space, replication::Replica::Run& run);
  void Publish(Space& space);
  void Trim(Space& space);
  void CountPieces(Space& space);
  void CountMended(Space& space);
  placement::Assignment RoleOf(const Space& space) const;
  void Answer(Space& space, TimePoint now);
  // Nothing: it waits on.
  std::optional<absl::Status> StateOf(const Space& space, const Waiting& waiting,
                                      TimePoint now) const;
  void Arm(Space& space);
  void OnTimer();
  void MeasureLags();

  const NodeId self_;
  const replication::ReplicaOptions options_;
  const ReplicatorPorts ports_;
  std::mt19937_64 random_;
  StringMap<std::unique_ptr<Space>> spaces_;
  std::set<std::pair<TimePoint, Space*>> wakes_;
  net::EventLoop::Timer timer_;
  TimePoint timer_at_ = kNever;

  TimePoint lags_at_{};

  mutable Mutex mutex_;
  ReplicaLags lags_ ABSL_GUARDED_BY(mutex_);
  // Told by the store, not handled yet.
  std::vector<SpaceId> committed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::cluster
