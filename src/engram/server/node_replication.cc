#include "engram/server/node_replication.h"

#include <algorithm>
#include <future>
#include <utility>

#include "engram/cluster/boot_clock.h"

namespace engram::server {

using cluster::ReplicaView;

NodeReplication::NodeReplication(const Ports& ports, const net::ChannelOptions& channels,
                                 uint64_t seed)
    : ports_(ports),
      loops_(1),
      calls_(loops_, cluster::ForReplication(channels), 1),
      links_({loops_.at(0), calls_, ports.context.nodes, ports.context.directory},
             {.self = ports.context.self, .life = seed | 1}),
      service_(links_),
      replicator_(
          ports.context.self, {},
          {loops_.at(0), ports.log, views_,
           [this](const NodeId& to, const SpaceId& space, replication::ReplicaMessage message) {
             links_.Send(to, space, std::move(message));
           },
           [this](const cluster::ReplicatorPorts::Held& held) { Publish(held); },
           links_.counters()},
          seed) {
  links_.OnMessage(
      [this](const NodeId& from, const SpaceId& space, const replication::ReplicaMessage& message) {
        replicator_.OnMessage(from, space, message);
      });
  links_.OnRefused([this](const NodeId& node) { replicator_.OnPortRefused(node); });
}

NodeReplication::~NodeReplication() = default;

void NodeReplication::AddTo(net::Server& server) { service_.AddTo(server); }

void NodeReplication::Load() { replicator_.Load(); }

void NodeReplication::Start() {
  started_ = true;
  ports_.bell.Tell(&replicator_);
  loops_.Start();
}

void NodeReplication::HandOverAll(TimePoint deadline) {
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> handed_over = done->get_future();
  replicator_.HandOverAll(deadline, [done] { done->set_value(); });
  handed_over.wait_until(deadline);
}

void NodeReplication::Leave() { service_.Leave(); }

void NodeReplication::Stop() {
  ports_.bell.Tell(nullptr);
  calls_.Close();
  loops_.Stop();
}

// The larger version wins in both tables. What this node is bound to and what stands in its log
// differ only while a primary is being replaced.
void NodeReplication::Publish(const cluster::ReplicatorPorts::Held& held) {
  NodeContext& context = ports_.context;
  context.held.Apply(std::span(&held.role, 1));
  if (!held.role.primary.empty()) context.table.Apply(std::span(&held.role, 1));
  if (!held.logged) return;
  context.table.Apply(std::span(&*held.logged, 1));
  if (started_) ports_.control.Announce({*held.logged});  // before, it is what was known
}

bool NodeReplication::MakeSpace(const SpaceId& space, TimePoint deadline,
                                cluster::Replicator::Done& done) {
  const NodeContext& context = ports_.context;
  std::vector<NodeId> holders =
      context.directory.Holders(space.view(), static_cast<size_t>(context.config.copies));
  const bool here = std::find(holders.begin(), holders.end(), context.self) != holders.end();
  if (holders.size() <= 1 || !here) return false;
  replicator_.Create(space, std::move(holders), deadline, std::move(done));
  return true;
}

bool NodeReplication::Has(const SpaceId& space, const Version& change) const {
  const auto log = ports_.log.FindLog(space);
  return log.has_value() && !log->incomplete && log->Seen().Covers(change);
}

NodeReplication::Standing NodeReplication::StandingOf(const SpaceId& space) const {
  Standing standing;
  const ReplicaView* view = views_.Of(space.view());
  if (view == nullptr) return standing;
  const TimePoint now = cluster::BootNow();
  const auto held = ports_.context.held.Find(space.view());
  const bool primary = held.has_value() && held->primary == ports_.context.self_index;
  if (primary) {
    standing.degraded = now >= view->lease_until.load(std::memory_order_relaxed);
    return standing;
  }
  const TimePoint caught_up = view->caught_up_at.load(std::memory_order_relaxed);
  constexpr auto kUnknown = std::chrono::milliseconds::max();
  standing.staleness = caught_up == TimePoint::min()
                           ? kUnknown
                           : std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::max(Duration(), now - caught_up));
  return standing;
}

std::vector<NodeReplication::Lag> NodeReplication::Lags() const {
  std::vector<Lag> lags;
  for (const auto& [replica, lag] : replicator_.Lags()) {
    lags.push_back({replica, lag.spaces, lag.entries, lag.bytes, lag.time});
  }
  return lags;
}

void NodeReplication::Move(const SpaceId& space, const NodeId& primary, TimePoint deadline,
                           absl::AnyInvocable<void(absl::Status)> done) {
  const_cast<cluster::Replicator&>(replicator_).HandOver(space, primary, deadline, std::move(done));
}

}  // namespace engram::server
