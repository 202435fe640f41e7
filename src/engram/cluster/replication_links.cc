#include "engram/cluster/replication_links.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/base/macros.h"

namespace engram::cluster {

ReplicationLinks::ReplicationLinks(const ReplicationPorts& ports, ReplicationLinksOptions options)
    : ports_(ports), options_(std::move(options)) {
  ABSL_HARDENING_ASSERT(options_.life != 0);
}

void ReplicationLinks::Send(const NodeId& to, const SpaceId& space,
                            replication::ReplicaMessage message) {
  ABSL_HARDENING_ASSERT(to != options_.self);
  ReplicationLink& link = LinkTo(to);
  link.Queue({space, std::move(message)});
  if (to_pump_.empty()) PumpSoon();
  if (std::find(to_pump_.begin(), to_pump_.end(), &link) == to_pump_.end()) {
    to_pump_.push_back(&link);
  }
}

ReplicationLink& ReplicationLinks::LinkTo(const NodeId& node) {
  std::shared_ptr<ReplicationLink>& link = links_[node];
  if (link == nullptr) {
    link = std::make_shared<ReplicationLink>(ports_, options_, node, counters_, [this, node] {
      if (on_refused_) on_refused_(node);
    });
  }
  return *link;
}

void ReplicationLinks::PumpSoon() {
  ports_.loop.Post([this, alive = std::weak_ptr<void>(alive_)] {
    if (!alive.expired()) Pump();
  });
}

void ReplicationLinks::Pump() {
  for (ReplicationLink* link : std::exchange(to_pump_, {})) link->Pump();
}

void ReplicationLinks::Deliver(const NodeId& from, uint64_t life, Frame frame, size_t bytes) {
  counters_.frames_received.Add();
  counters_.bytes_received.Add(bytes);
  counters_.messages_ignored.Add(frame.unknown);
  LinkTo(from).Heard(life);
  for (SpaceMessage& message : frame.messages) {
    if (!IsForThisLife(frame.head, message.message)) {
      counters_.messages_ignored.Add();
      continue;
    }
    counters_.messages_received.Add();
    if (on_message_) on_message_(from, message.space, std::move(message.message));
  }
}

bool ReplicationLinks::IsForThisLife(const FrameHead& head,
                                     const replication::ReplicaMessage& message) const {
  const auto* failover = std::get_if<replication::FailoverMessage>(&message);
  const bool answer =
      failover != nullptr && std::holds_alternative<replication::HeartbeatAnswer>(*failover);
  return !answer || head.receiver_life == options_.life;
}

}  // namespace engram::cluster
