// The replication of a node's spaces, put together: a loop of its own, the streams to other nodes,
// and what drives the replicas (cluster/replicator.h); and what requests ask of it.
//
// Thread-safety: as ReplicationPort; Load() before Start(); Stop() once, by the thread that owns
// it, before the engine is destroyed.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engram/base/mutex.h"
#include "engram/cluster/control_plane.h"
#include "engram/cluster/replica_views.h"
#include "engram/cluster/replication_links.h"
#include "engram/cluster/replication_service.h"
#include "engram/cluster/replicator.h"
#include "engram/net/connection_pool.h"
#include "engram/net/server.h"
#include "engram/server/node_context.h"
#include "engram/server/replication_port.h"

namespace engram::server {

// Where the engine's commit thread tells what it has committed, and that it can commit no more: it
// is there before the engine is, and passes on nothing before and after there is somebody to tell.
class CommitBell {
 public:
  void Ring(std::span<const SpaceId> spaces) {
    ReaderLock lock(&mutex_);
    if (replicator_ != nullptr) replicator_->OnCommitted(spaces);
  }
  void RingForFailure() {
    ReaderLock lock(&mutex_);
    if (replicator_ != nullptr) replicator_->OnStoreFailed();
  }
  // Null: nobody.
  void Tell(cluster::Replicator* replicator) {
    WriterLock lock(&mutex_);
    replicator_ = replicator;
  }

 private:
  Mutex mutex_;
  cluster::Replicator* replicator_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

class NodeReplication final : public ReplicationPort {
 public:
  // All of it outlives it.
  struct Ports {
    NodeContext& context;
    replication::LogPort& log;
    cluster::ControlPlane& control;  // told which assignments are made here
    CommitBell& bell;
  };
  NodeReplication(const Ports& ports, const net::ChannelOptions& channels, uint64_t seed);
  ~NodeReplication() override;

  const cluster::ReplicationCounters& streams() const { return links_.counters(); }
  void AddTo(net::Server& server);
  // Publishes what is held.
  void Load();
  void Start();
  // Hands every office over to another holder; returns when that is done, or at `deadline`.
  void HandOverAll(TimePoint deadline);
  // Ends the streams of other nodes.
  void Leave();
  void Stop();

  // Makes a space that is to have several holders; false if it is to have only this one. Any
  // thread.
  bool MakeSpace(const SpaceId& space, TimePoint deadline, cluster::Replicator::Done& done);
  // Calls `done` when the write is held as `ack` asks. Any thread.
  void AwaitHeld(const SpaceId& space, const Version& origin, routing::Ack ack, TimePoint deadline,
                 cluster::Replicator::Done done) {
    replicator_.WaitFor(space, origin, ack, deadline, std::move(done));
  }

  bool Has(const SpaceId& space, const Version& change) const override;
  Standing StandingOf(const SpaceId& space) const override;
  std::vector<Lag> Lags() const override;
  void Move(const SpaceId& space, const NodeId& primary, TimePoint deadline,
            absl::AnyInvocable<void(absl::Status)> done) override;

 private:
  void Publish(const cluster::ReplicatorPorts::Held& held);

  const Ports ports_;
  bool started_ = false;  // before the loop is
  net::EventLoopGroup loops_;
  net::ConnectionPool calls_;
  cluster::ReplicaViews views_;
  cluster::ReplicationLinks links_;
  cluster::ReplicationService service_;
  cluster::Replicator replicator_;
};

}  // namespace engram::server
