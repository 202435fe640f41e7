// What the control plane answers to other nodes.
#include <fmt/format.h>

#include <utility>

#include "engram/base/error.h"
#include "engram/base/names.h"
#include "engram/cluster/control_plane.h"

namespace engram::cluster {
namespace {

constexpr Duration kDialBackLimit = std::chrono::seconds(2);

}  // namespace

absl::Status ControlPlane::CheckJoin(const peer::v1::JoinRequest& request) const {
  if (absl::Status status = CheckNodeId("node_id", request.node_id()); !status.ok()) return status;
  if (request.cluster_name() != options_.cluster_name) {
    return InvalidArgument("cluster",
                           fmt::format("node {} at {} is of the cluster named '{}', this node is "
                                       "configured for '{}'",
                                       options_.node.value(), options_.info.rpc_address,
                                       options_.cluster_name, request.cluster_name()));
  }
  if (!request.cluster_id().empty() && swim_.has_value() &&
      request.cluster_id() != stored_.cluster_id) {
    return InvalidArgument(
        "cluster", fmt::format("node {} at {} is of another cluster that is named '{}', too: its "
                               "id is {}, that of this node's data {}",
                               options_.node.value(), options_.info.rpc_address,
                               options_.cluster_name, stored_.cluster_id, request.cluster_id()));
  }
  if (request.node_id() == options_.node.view()) {
    return InvalidArgument(
        "node-id", fmt::format("the node at {} has the id {}, too: give each node one of its own",
                               options_.info.rpc_address, request.node_id()));
  }
  const membership::Member* known =
      swim_.has_value() ? swim_->members().Find(NodeId(request.node_id())) : nullptr;
  const bool taken = known != nullptr && request.cluster_id().empty() &&
                     known->standing.state == membership::MemberState::kAlive &&
                     known->info.rpc_address != request.rpc_address();
  if (!taken) return absl::OkStatus();
  return InvalidArgument(
      "node-id",
      fmt::format("there is a node {} already, alive at {}: give each node an id of its own. If it "
                  "is this one's former life, wait until it is held dead",
                  request.node_id(), known->info.rpc_address));
}

void ControlPlane::Serve(const peer::v1::JoinRequest& request, Done<peer::v1::JoinResponse> done) {
  if (absl::Status status = CheckJoin(request); !status.ok()) return done(status);
  // Who cannot say which cluster it is in has no member to introduce either.
  if (!swim_.has_value()) return done(JoinAnswer());
  DialBack(request, std::move(done));
}

void ControlPlane::DialBack(const peer::v1::JoinRequest& request,
                            Done<peer::v1::JoinResponse> done) {
  // A connection of its own: one that was refused a moment ago says nothing about now.
  const NodeId stranger("back to " + request.rpc_address());
  calls_.Probe(
      {stranger, request.rpc_address()}, net::EventLoop::Now() + kDialBackLimit,
      [this, stranger, request,
       done = std::move(done)](absl::StatusOr<peer::v1::ProbeResponse> reply) mutable {
        calls_.Forget(stranger);
        if (reply.ok() && reply->node_id() == request.node_id()) return done(JoinAnswer());
        const std::string reason = reply.ok()
                                       ? fmt::format("node {} answers there", reply->node_id())
                                       : std::string(reply.status().message());
        done(MakeError(ErrorCode::kInvalidEndpoint,
                       fmt::format("node {} cannot dial this node at {}: {}; set `advertise` to an "
                                   "address that the others can dial",
                                   options_.node.value(), request.rpc_address(), reason)));
      });
}

peer::v1::JoinResponse ControlPlane::JoinAnswer() const {
  peer::v1::JoinResponse reply;
  reply.set_node_id(options_.node.value());
  reply.set_bootstrap(options_.bootstrap);
  reply.set_undecided(!swim_.has_value());
  if (swim_.has_value()) {
    reply.set_cluster_id(stored_.cluster_id);
    reply.set_state(swim_->FullStateBytes());
  }
  return reply;
}

void ControlPlane::Serve(const peer::v1::ProbeRequest&, Done<peer::v1::ProbeResponse> done) {
  peer::v1::ProbeResponse reply;
  reply.set_node_id(options_.node.value());
  reply.set_cluster_id(stored_.cluster_id);
  done(std::move(reply));
}

void ControlPlane::Serve(const peer::v1::ExchangeRequest& request,
                         Done<peer::v1::ExchangeResponse> done) {
  if (!swim_.has_value()) {
    return done(MakeError(ErrorCode::kNoLocalData, "this node is not a member yet"));
  }
  if (absl::Status status = swim_->MergeFullState(request.state(), net::EventLoop::Now());
      !status.ok()) {
    return done(status);
  }
  Settle();
  peer::v1::ExchangeResponse reply;
  reply.set_state(swim_->FullStateBytes());
  done(std::move(reply));
}

void ControlPlane::Serve(const peer::v1::CompareRecordsRequest& request,
                         Done<peer::v1::CompareRecordsResponse> done) {
  done(gossip_->Serve(request));
}

void ControlPlane::Serve(const peer::v1::SettleRecordsRequest& request,
                         Done<peer::v1::SettleRecordsResponse> done) {
  done(gossip_->Serve(request));
}

}  // namespace engram::cluster
