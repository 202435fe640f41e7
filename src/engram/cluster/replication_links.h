// What carries replication between nodes: a stream to each node that there is something to say to,
// and what the others' streams bring (replication_service.h).
//
// Messages may be lost or late, never damaged; but answers to heartbeats reach only the life of a
// node that sent those: they would give its successor a lease (docs/model, decision 13).
//
// Belongs to the replication loop: everything on its thread, but what says "any thread". To be
// destroyed on it, or when it has stopped.
#pragma once

#include <map>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "engram/cluster/replication_link.h"

namespace engram::cluster {

class ReplicationLinks {
 public:
  using MessageCallback = absl::AnyInvocable<void(const NodeId& from, const SpaceId& space,
                                                  replication::ReplicaMessage message)>;
  using RefusedCallback = absl::AnyInvocable<void(const NodeId& node)>;

  // REQUIRES: a life, and a goodbye_grace not below a holder's wait.
  ReplicationLinks(const ReplicationPorts& ports, ReplicationLinksOptions options);
  ReplicationLinks(const ReplicationLinks&) = delete;
  ReplicationLinks& operator=(const ReplicationLinks&) = delete;

  // To be set before there are messages. Both may call Send().
  void OnMessage(MessageCallback callback) { on_message_ = std::move(callback); }
  // The node's port has refused a connection, and nothing was heard of the node since the attempt
  // began: its process is gone. Told again for each attempt, while there is something to send.
  void OnRefused(RefusedCallback callback) { on_refused_ = std::move(callback); }

  // Goes out with everything else that is sent before control returns to the loop, what is urgent
  // before entries; or is lost. REQUIRES: `to` is another node.
  void Send(const NodeId& to, const SpaceId& space, replication::ReplicaMessage message);

  // What the other nodes' streams bring. `bytes`: of the frame.
  void Deliver(const NodeId& from, uint64_t life, Frame frame, size_t bytes);
  // A frame that could not be read.
  void CountRefused() { counters_.frames_refused.Add(); }

  // Any thread.
  const NodeId& self() const { return options_.self; }
  const Directory& directory() const { return ports_.directory; }
  net::EventLoop& loop() const { return ports_.loop; }
  const ReplicationCounters& counters() const { return counters_; }
  ReplicationCounters& counters() { return counters_; }

 private:
  ReplicationLink& LinkTo(const NodeId& node);
  void PumpSoon();
  void Pump();
  bool IsForThisLife(const FrameHead& head, const replication::ReplicaMessage& message) const;

  const ReplicationPorts ports_;
  const ReplicationLinksOptions options_;
  ReplicationCounters counters_;
  MessageCallback on_message_;
  RefusedCallback on_refused_;
  std::map<NodeId, std::shared_ptr<ReplicationLink>> links_;
  std::vector<ReplicationLink*> to_pump_;  // were sent to in this turn
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace engram::cluster
