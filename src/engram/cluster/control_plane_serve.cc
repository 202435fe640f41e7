// What the control plane answers to other nodes.
#include <fmt/format.h>

#include <utility>

#include "engram/base/error.h"
#include "engram/base/names.h"
#include "engram/cluster/control_plane.h"

namespace engram::cluster {
namespace {

constexpr Duration kDialBackLimit = std::chrono::seconds(2);
// Anybody may ask for it: so many addresses at a time, and so many askers for each.
constexpr size_t kDialBacksMax = 64;
constexpr size_t kJoiningMax = 16;
constexpr Duration kJoinPause = std::chrono::milliseconds(200);

absl::Status BusyJoining() {
  ErrorDetail detail;
  detail.code = ErrorCode::kOverloaded;
  detail.retry_after = kJoinPause;
  return MakeError(detail, "too many nodes join at once");
}

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
  if (request.node_id() == options_.node.view() && request.life() == life_) {
    return MakeError(ErrorCode::kNoLocalData, "that is this node itself");
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

// Once for all who ask from the same address meanwhile: a node asks several times until it is let
// in.
void ControlPlane::DialBack(const peer::v1::JoinRequest& request,
                            Done<peer::v1::JoinResponse> done) {
  const std::string& address = request.rpc_address();
  const bool under_way = dialled_back_.contains(address);
  if (!under_way && dialled_back_.size() >= kDialBacksMax) return done(BusyJoining());
  std::vector<Joining>& joining = dialled_back_[address];
  if (joining.size() >= kJoiningMax) return done(BusyJoining());
  joining.push_back({NodeId(request.node_id()), std::move(done)});
  if (under_way) return;
  // A connection of its own: one that was refused a moment ago says nothing about now.
  const NodeId stranger(fmt::format("back {} to {}", ++dial_backs_, address));
  calls_.Probe({stranger, address}, net::EventLoop::Now() + kDialBackLimit,
               [this, stranger, address](const absl::StatusOr<peer::v1::ProbeResponse>& reply) {
                 calls_.Forget(stranger);
                 OnDialledBack(address, reply);
               });
}

void ControlPlane::OnDialledBack(const std::string& address,
                                 const absl::StatusOr<peer::v1::ProbeResponse>& reply) {
  auto waited = dialled_back_.extract(address);
  for (Joining& joining : waited.mapped()) {
    if (reply.ok() && reply->node_id() == joining.node.view()) {
      joining.done(JoinAnswer());
      continue;
    }
    const std::string reason = reply.ok() ? fmt::format("node {} answers there", reply->node_id())
                                          : std::string(reply.status().message());
    joining.done(MakeError(ErrorCode::kInvalidEndpoint,
                           fmt::format("node {} cannot dial this node at {}: {}; set `advertise` "
                                       "to an address that the others can dial",
                                       options_.node.value(), address, reason)));
  }
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
  InContact();
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
