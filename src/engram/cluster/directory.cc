#include "engram/cluster/directory.h"

#include <algorithm>
#include <utility>

namespace engram::cluster {
namespace {

const std::string kNone;

// In the order of membership::MemberState.
routing::Liveness ToLiveness(membership::MemberState state) {
  return static_cast<routing::Liveness>(state);
}
static_assert(static_cast<int>(routing::Liveness::kSuspect) ==
              static_cast<int>(membership::MemberState::kSuspect));
static_assert(static_cast<int>(routing::Liveness::kLeft) ==
              static_cast<int>(membership::MemberState::kLeft));

// A label that is not given says nothing about where a node is.
routing::Distance DistanceOf(const membership::MemberInfo& here,
                             const membership::MemberInfo& there) {
  const bool same_zone = here.zone == there.zone && !here.zone.empty();
  const bool same_rack = here.rack == there.rack && !here.rack.empty();
  if (same_rack && here.zone == there.zone) return routing::Distance::kSameRack;
  return same_zone ? routing::Distance::kSameZone : routing::Distance::kElsewhere;
}

std::vector<NodeId> WhoHasNotLeft(const membership::MemberTable& members, const NodeId& self) {
  std::vector<NodeId> ids = {self};
  for (const membership::Member* member : members.everybody()) {
    const bool left = member->standing.state == membership::MemberState::kLeft;
    if (!left && member->id != self) ids.push_back(member->id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

std::string_view NameOf(membership::PartitionState state) {
  constexpr std::string_view kNames[] = {"connected", "partitioned", "healing", "starting"};
  static_assert(std::size(kNames) == membership::kPartitionStateCount);
  return kNames[static_cast<size_t>(state)];
}

std::string_view NameOf(membership::MemberState state) {
  constexpr std::string_view kNames[] = {"alive", "suspect", "dead", "left"};
  static_assert(std::size(kNames) == membership::kMemberStateCount);
  return kNames[static_cast<size_t>(state)];
}

Directory::Members::Members(std::vector<NodeId> ids, routing::NodeTable& nodes)
    : ring(std::move(ids)) {
  for (const NodeId& id : ring.nodes()) indexes.push_back(nodes.Intern(id));
}

Directory::Directory(routing::NodeTable& nodes, routing::NodeIndex self, std::string_view address)
    : nodes_(nodes),
      self_(self),
      published_id_(&kNone),
      members_(std::make_unique<const Members>(std::vector<NodeId>{nodes.IdOf(self)}, nodes)),
      view_(std::make_shared<const ClusterView>()) {
  nodes_.SetAddress(self, address);
  nodes_.Of(self).distance = routing::Distance::kSelf;
}

const std::string& Directory::cluster_id() const {
  return *published_id_.load(std::memory_order_acquire);
}

void Directory::SetClusterId(std::string id) {
  cluster_id_ = std::move(id);
  published_id_.store(&cluster_id_, std::memory_order_release);
}

std::vector<routing::NodeIndex> Directory::members() const {
  return members_.Read([](const Members& members) { return members.indexes; });
}

routing::NodeIndex Directory::FirstHolder(std::string_view space, size_t copies) const {
  return members_.Read([&](const Members& members) {
    const NodeId& first = members.ring.FirstHolder(space);
    const routing::NodeIndex index =
        members.indexes[static_cast<size_t>(&first - members.ring.nodes().data())];
    if (copies <= 1 || !IsGone(index)) return index;
    for (const NodeId& holder : members.ring.Holders(space, copies)) {
      const routing::NodeIndex next = *nodes_.Find(holder.view());
      if (!IsGone(next)) return next;
    }
    return index;
  });
}

std::vector<NodeId> Directory::Holders(std::string_view space, size_t copies) const {
  return members_.Read([&](const Members& members) { return members.ring.Holders(space, copies); });
}

bool Directory::IsGone(routing::NodeIndex node) const {
  const auto liveness = nodes_.Of(node).liveness.load(std::memory_order_relaxed);
  return liveness == routing::Liveness::kDead || liveness == routing::Liveness::kLeft;
}

std::shared_ptr<const ClusterView> Directory::view() const {
  WriterLock lock(&mutex_);
  return view_;
}

ControlCounters Directory::counters() const {
  WriterLock lock(&mutex_);
  return counters_;
}

void Directory::PublishCounters(const ControlCounters& counters) {
  WriterLock lock(&mutex_);
  counters_ = counters;
}

void Directory::Publish(std::shared_ptr<const ClusterView> view,
                        const membership::MemberTable& everybody) {
  if (const membership::Member* here = everybody.Find(nodes_.IdOf(self_))) {
    for (const membership::Member* member : everybody.everybody()) PublishNode(*member, here->info);
  }
  // The ring is only made anew when somebody comes or goes.
  std::vector<NodeId> ids = WhoHasNotLeft(everybody, nodes_.IdOf(self_));
  const bool same = members_.Read([&](const Members& now) { return now.ring.nodes() == ids; });
  if (!same) members_.Replace(std::make_unique<const Members>(std::move(ids), nodes_));
  WriterLock lock(&mutex_);
  view_ = std::move(view);
}

void Directory::PublishNode(const membership::Member& member, const membership::MemberInfo& here) {
  const routing::NodeIndex index = nodes_.Intern(member.id);
  if (index == self_) return;
  nodes_.SetAddress(index, member.info.rpc_address);
  routing::NodeState& node = nodes_.Of(index);
  node.liveness.store(ToLiveness(member.standing.state), std::memory_order_relaxed);
  node.distance.store(DistanceOf(here, member.info), std::memory_order_relaxed);
}

}  // namespace engram::cluster
