// The stream from this node to one other one, on which all that replication has to say goes
// (engram.peer.v1.ReplicationService): opened when there is something to send, kept while there was
// something a while ago, opened again, with back-off, when it is lost.
//
// A message that was given to it may be lost: with its stream, by a bound, or because the node is
// not to be reached. Nothing waits for a node that is not there.
//
// Belongs to the replication loop; held by ReplicationLinks and by the call-backs of its stream.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "engram/base/strong_id.h"
#include "engram/base/time.h"
#include "engram/cluster/directory.h"
#include "engram/cluster/replication_counters.h"
#include "engram/cluster/replication_frame.h"
#include "engram/cluster/replication_queue.h"
#include "engram/net/channel.h"
#include "engram/net/connection_pool.h"
#include "engram/net/deadline_timer.h"
#include "engram/net/event_loop.h"
#include "engram/routing/node_table.h"

namespace engram::cluster {

struct ReplicationLinksOptions {
  NodeId self;
  // Another one than in any former life of this node; not 0.
  uint64_t life = 0;
  // What waits for one node, before older things are dropped.
  size_t queue_bytes_max = 8u << 20;
  // Of one frame, but for a message that is larger. As a stream takes frames while 1 MiB or less is
  // unsent, this is also by how much entries can be ahead of what is urgent: 1.25 MiB.
  size_t frame_bytes_max = 256u << 10;
  // A stream that nothing was given to for so long is given up.
  Duration idle_max = std::chrono::seconds(30);
  // From the end of a stream to the next one: doubles each time, but one that was up for as long as
  // the maximum is followed at once.
  Duration reopen_min = std::chrono::milliseconds(50);
  Duration reopen_max = std::chrono::seconds(1);
  // A node that has said goodbye closes its port before it ends: so long its refusals do not say
  // that it has. Not less than a holder's wait (replication/lease.h).
  Duration goodbye_grace = std::chrono::seconds(3);
};

// For the pool of the replication loop. A connection that a partition has cut is given up within 3
// s: TCP would repeat what is unsent ever more rarely, and so be late by as long as the cut took. A
// peer that stands still for 2 s keeps it.
net::ChannelOptions ForReplication(net::ChannelOptions options);

// What a link works on; all of it outlives it.
struct ReplicationPorts {
  net::EventLoop& loop;       // the replication loop
  net::ConnectionPool& pool;  // of that loop alone
  const routing::NodeTable& nodes;
  const Directory& directory;
};

class ReplicationLink : public std::enable_shared_from_this<ReplicationLink> {
 public:
  // Each part that is larger is refused by receivers.
  static constexpr size_t kPartBytesMax = (4u << 20) - 1024;

  using Refused = absl::AnyInvocable<void()>;

  // `counters` must outlive it. `refused`: the node's port refused a connection, and nothing was
  // heard of it since the attempt began.
  ReplicationLink(const ReplicationPorts& ports, const ReplicationLinksOptions& options, NodeId to,
                  ReplicationCounters& counters, Refused refused);
  ReplicationLink(const ReplicationLink&) = delete;
  ReplicationLink& operator=(const ReplicationLink&) = delete;

  // Queues it; Pump() sends it.
  void Queue(SpaceMessage message);
  // Does what is to be done now: opens, sends, gives up.
  void Pump();
  // A frame has come from the node, in its `life`.
  void Heard(uint64_t life);

 private:
  bool Wanted(TimePoint now) const { return now < wanted_until_; }
  const std::string* Address() const;
  bool HasMoved() const;
  void LeaveIfAsked();
  void Open(TimePoint now);
  void OpenOn(const std::shared_ptr<net::Channel>& channel, TimePoint now);
  void ReadOn();
  void Greeted();
  void SendQueued();
  void SendFrame(const FrameHead& head, ReplicationQueue::Batch batch);
  void OnEnd(uint64_t number, const net::CallResult& end);
  void OnRefused(TimePoint now);
  void BackOff(TimePoint now);
  void Drop();
  void Log(const absl::Status& status);
  void DropQueued() { counters_.messages_dropped.Add(queue_.Clear()); }

  const ReplicationPorts ports_;
  const ReplicationLinksOptions& options_;
  const NodeId to_;
  ReplicationCounters& counters_;
  Refused refused_;

  ReplicationQueue queue_;
  std::string address_;                    // of the stream
  std::shared_ptr<net::Channel> channel_;  // of the stream: who drops it never hears the end
  std::unique_ptr<net::Channel::Stream> stream_;
  uint64_t streams_ = 0;  // so far; tells the end of one from that of another
  bool up_ = false;       // greeted
  bool writable_ = true;
  bool leaving_ = false;  // its peer wants to be rid of the connection; nothing more is sent
  TimePoint attempt_at_;
  TimePoint up_at_;
  TimePoint heard_at_ = TimePoint::min();
  TimePoint goodbye_at_ = TimePoint::min();
  TimePoint wanted_until_ = TimePoint::min();
  TimePoint reopen_at_ = TimePoint::min();
  Duration reopen_delay_{};
  uint64_t peer_life_ = 0;
  std::string last_failure_;  // as logged
  net::DeadlineTimer timer_;
};

}  // namespace engram::cluster
