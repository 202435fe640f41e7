// Who is in the cluster, as requests need it: where to dial each node, whom to ask, and whom the
// ring proposes. The control loop publishes it, requests read it.
//
// Thread-safety: Publish(), SetClusterId() on the control loop alone; everything else from any
// thread. What a request reads takes no lock; view() and counters() take one for a moment.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/base/published.h"
#include "engram/cluster/cluster_view.h"
#include "engram/placement/ring.h"
#include "engram/routing/node_table.h"

namespace engram::cluster {

class Directory {
 public:
  // `nodes` must outlive it. Until something is published this node is alone.
  Directory(routing::NodeTable& nodes, routing::NodeIndex self, std::string_view address);

  // What requests between nodes are marked with; empty until the node belongs to a cluster.
  const std::string& cluster_id() const;

  // Where to dial a node; nullptr if it has never been a member.
  const std::string* AddressOf(routing::NodeIndex node) const {
    return nodes_.Of(node).address.load(std::memory_order_acquire);
  }
  // This node, and everybody else who has neither left nor been removed.
  std::vector<routing::NodeIndex> members() const;
  // The ring's proposal for a space that nobody is known to hold: who is to make it, of the first
  // `copies` holders the first one that is not gone, as far as this node knows.
  routing::NodeIndex FirstHolder(std::string_view space, size_t copies) const;
  // Those holders, in the ring's order, the dead among them.
  std::vector<NodeId> Holders(std::string_view space, size_t copies) const;

  // Everything that is known of the cluster, for people.
  std::shared_ptr<const ClusterView> view() const;

  ControlCounters counters() const;

  // REQUIRES: called once.
  void SetClusterId(std::string id);
  // `everybody` also has those who are gone for long, and so are not in the view.
  void Publish(std::shared_ptr<const ClusterView> view, const membership::MemberTable& everybody);
  void PublishCounters(const ControlCounters& counters);

 private:
  struct Members {
    Members(std::vector<NodeId> ids, routing::NodeTable& nodes);

    placement::Ring ring;
    std::vector<routing::NodeIndex> indexes;  // in the order of ring.nodes()
  };

  bool IsGone(routing::NodeIndex node) const;
  void PublishNode(const membership::Member& member, const membership::MemberInfo& here);

  routing::NodeTable& nodes_;
  const routing::NodeIndex self_;
  std::string cluster_id_;
  std::atomic<const std::string*> published_id_;
  Published<Members> members_;
  mutable Mutex mutex_;
  std::shared_ptr<const ClusterView> view_ ABSL_GUARDED_BY(mutex_);
  ControlCounters counters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::cluster
