#include "engram/server/cluster_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "engram/base/names.h"
#include "engram/peer/v1/peer.pb.h"
#include "engram/routing/decision.h"
#include "engram/server/convert.h"
#include "engram/server/fan_out.h"
#include "engram/server/metadata_names.h"
#include "engram/server/replication_port.h"
#include "engram/server/request_metadata.h"
#include "engram/server/version.h"
#include "engram/v1/cluster.pb.h"
#include "engram/v1/spaces.pb.h"

namespace engram::server {
namespace {

using net::ServerCall;

constexpr std::string_view kDescribe = "/engram.peer.v1.PeerService/Describe";
constexpr std::string_view kListLocalSpaces = "/engram.peer.v1.PeerService/ListLocalSpaces";

// A node that does not answer a question about itself within this time is shown as not alive.
constexpr Duration kPeerLimit = std::chrono::seconds(2);

v1::NodeState StateOf(membership::MemberState state) {
  switch (state) {
    case membership::MemberState::kAlive:
      return v1::NODE_STATE_ALIVE;
    case membership::MemberState::kSuspect:
      return v1::NODE_STATE_SUSPECT;
    case membership::MemberState::kDead:
      return v1::NODE_STATE_DEAD;
    case membership::MemberState::kLeft:
      return v1::NODE_STATE_LEFT;
  }
  return v1::NODE_STATE_UNSPECIFIED;
}

// What membership knows of each node, by id.
std::map<std::string, v1::NodeInfo> InfosOf(const cluster::ClusterView& view) {
  std::map<std::string, v1::NodeInfo> infos;
  for (const membership::Member& member : view.members) {
    v1::NodeInfo& info = infos[member.id.value()];
    info.set_id(member.id.value());
    info.set_address(member.info.rpc_address);
    info.set_state(StateOf(member.standing.state));
    info.set_incarnation(static_cast<uint64_t>(member.standing.incarnation));
    info.set_zone(member.info.zone);
    info.set_rack(member.info.rack);
  }
  return infos;
}

void FillConnectivity(const cluster::ClusterView& view, v1::GetStatusResponse& reply) {
  reply.set_connectivity(std::string(cluster::NameOf(view.state)));
  reply.set_reachable(static_cast<uint32_t>(view.reach.reachable));
  reply.set_total(static_cast<uint32_t>(view.reach.total));
}

class ClusterInfo {
 public:
  ClusterInfo(NodeContext& context, const memory::Engine& engine, cluster::ControlPlane& control,
              WallMillis started)
      : context_(context), engine_(engine), control_(control), started_(started) {}

  v1::NodeInfo DescribeSelf() const;
  void AppendLocalSpaces(const std::string& prefix,
                         google::protobuf::RepeatedPtrField<v1::SpaceInfo>* out) const;

  void ListSpaces(ServerCall call, const v1::ListSpacesRequest& request);
  void ListNodes(ServerCall call, const v1::ListNodesRequest& request);
  void GetStatus(ServerCall call, const v1::GetStatusRequest& request);
  void ResolveRoute(ServerCall call, const v1::ResolveRouteRequest& request);
  void RemoveNode(ServerCall call, const v1::RemoveNodeRequest& request);
  void MoveSpace(ServerCall call, const v1::MoveSpaceRequest& request);
  void Describe(ServerCall call, const peer::v1::DescribeRequest& request);
  void ListLocalSpaces(ServerCall call, const peer::v1::ListLocalSpacesRequest& request);

 private:
  using NodesDone =
      absl::AnyInvocable<void(std::vector<v1::NodeInfo>, std::vector<v1::MissingNode>)>;
  void DescribeAll(const ServerCall& call, NodesDone done);
  // The last part of a status; then it is sent.
  void AddConnections(const std::shared_ptr<ServerCall>& call, v1::GetStatusResponse reply);
  void FillFromAnswer(const PeerAnswer& answer, v1::NodeInfo& node,
                      std::vector<v1::MissingNode>& missing) const;
  TimePoint PeerDeadline(const ServerCall& call) const {
    return OperationDeadline(call.deadline(), kPeerLimit, Now());
  }
  template <class Reply>
  void Answer(ServerCall& call, const Reply& reply) const {
    call.AddTrailer(kMdServedBy, context_.self.view(), net::Recurrence::kRepeated);
    call.Reply(reply.SerializeAsString());
  }

  NodeContext& context_;
  const memory::Engine& engine_;
  cluster::ControlPlane& control_;
  const WallMillis started_;
};

std::string ReasonOf(const absl::Status& status) {
  if (status.ok()) return "another node answers at its address";
  if (CodeOf(status) == ErrorCode::kDeadlineExceeded) return "it is silent";
  return std::string(status.message());
}

v1::MissingNode Missing(const PeerAnswer& answer) {
  v1::MissingNode missing;
  missing.set_id(answer.node.value());
  missing.set_reason(ReasonOf(answer.result.status));
  return missing;
}

v1::ConnectionHealth Summary(const std::vector<net::NodeConnections>& nodes) {
  v1::ConnectionHealth health;
  health.set_nodes(static_cast<uint32_t>(nodes.size()));
  for (const net::NodeConnections& node : nodes) {
    health.set_healthy_nodes(health.healthy_nodes() + (node.healthy() ? 1 : 0));
    health.set_channels(health.channels() + static_cast<uint32_t>(node.channels));
    health.set_ready_channels(health.ready_channels() + static_cast<uint32_t>(node.ready));
  }
  return health;
}

// All loops together.
void AddWire(const net::EventLoopGroup& loops, google::protobuf::Map<std::string, int64_t>& wire) {
  for (size_t i = 0; i < loops.size(); ++i) {
    const net::Counters& counters = loops.at(i).counters();
    for (const net::CounterName& c : net::CounterNames()) {
      wire[std::string(c.name)] += static_cast<int64_t>((counters.*c.counter).value());
    }
    for (const net::GaugeName& g : net::GaugeNames()) {
      wire[std::string(g.name)] += (counters.*g.gauge).value();
    }
  }
}

void AddLags(const ReplicationPort& replication, v1::NodeInfo& node) {
  for (const ReplicationPort::Lag& lag : replication.Lags()) {
    v1::ReplicaLag* row = node.add_replicas();
    row->set_node(lag.replica.value());
    row->set_spaces(lag.spaces);
    row->set_entries(lag.entries);
    row->set_bytes(lag.bytes);
    row->set_seconds(std::chrono::duration<double>(lag.time).count());
  }
}

v1::NodeInfo ClusterInfo::DescribeSelf() const {
  v1::NodeInfo node;
  node.set_id(context_.self.value());
  uint64_t memories = 0;
  std::vector<memory::SpaceSummary> spaces = engine_.ListSpaces();
  for (const memory::SpaceSummary& space : spaces) memories += space.memories;
  node.set_spaces(spaces.size());
  node.set_memories(memories);
  node.set_uptime_ms(
      static_cast<uint64_t>(std::max<int64_t>(0, ToInt(WallNow()) - ToInt(started_))));
  node.set_software_version(std::string(kVersion));
  node.set_table_version(context_.table.version());
  if (context_.replication != nullptr) AddLags(*context_.replication, node);
  return node;
}

void ClusterInfo::AppendLocalSpaces(const std::string& prefix,
                                    google::protobuf::RepeatedPtrField<v1::SpaceInfo>* out) const {
  for (const memory::SpaceSummary& summary : engine_.ListSpaces()) {
    if (!summary.space.view().starts_with(prefix)) continue;
    std::optional<placement::Assignment> held = context_.held.FindAssignment(summary.space.view());
    if (!held.has_value() || held->primary != context_.self) continue;
    v1::SpaceInfo* info = out->Add();
    info->set_name(summary.space.value());
    *info->mutable_assignment() = ToProto(*held);
    info->set_memories(summary.memories);
    info->set_embedding_dimension(summary.embedding_dimension);
  }
}

void ClusterInfo::Describe(ServerCall call, const peer::v1::DescribeRequest&) {
  peer::v1::DescribeResponse reply;
  reply.set_cluster_id(context_.directory.cluster_id());
  *reply.mutable_node() = DescribeSelf();
  Answer(call, reply);
}

void ClusterInfo::ListLocalSpaces(ServerCall call,
                                  const peer::v1::ListLocalSpacesRequest& request) {
  peer::v1::ListLocalSpacesResponse reply;
  AppendLocalSpaces(request.prefix(), reply.mutable_spaces());
  Answer(call, reply);
}

void ClusterInfo::ListSpaces(ServerCall call, const v1::ListSpacesRequest& request) {
  peer::v1::ListLocalSpacesRequest question;
  question.set_prefix(request.prefix());
  LoopState& loop = context_.StateOf(call.loop());
  TimePoint deadline = PeerDeadline(call);
  AskAllPeers(
      context_, loop, kListLocalSpaces, question.SerializeAsString(), deadline,
      [this, prefix = request.prefix(),
       call = std::move(call)](const std::vector<PeerAnswer>& answers) mutable {
        v1::ListSpacesResponse reply;
        AppendLocalSpaces(prefix, reply.mutable_spaces());
        for (const PeerAnswer& answer : answers) {
          peer::v1::ListLocalSpacesResponse theirs;
          if (!answer.result.status.ok() || !theirs.ParseFromString(answer.result.message)) {
            *reply.add_missing() = Missing(answer);
            continue;
          }
          reply.mutable_spaces()->MergeFrom(theirs.spaces());
        }
        std::sort(
            reply.mutable_spaces()->begin(), reply.mutable_spaces()->end(),
            [](const v1::SpaceInfo& a, const v1::SpaceInfo& b) { return a.name() < b.name(); });
        Answer(call, reply);
      });
}

void ClusterInfo::FillFromAnswer(const PeerAnswer& answer, v1::NodeInfo& node,
                                 std::vector<v1::MissingNode>& missing) const {
  peer::v1::DescribeResponse theirs;
  const bool ours = answer.result.status.ok() && theirs.ParseFromString(answer.result.message) &&
                    theirs.cluster_id() == context_.directory.cluster_id() &&
                    theirs.node().id() == answer.node.view();
  if (!ours) return missing.push_back(Missing(answer));
  node.MergeFrom(theirs.node());
  node.set_latency_ms(std::chrono::duration<double, std::milli>(answer.took).count());
}

void ClusterInfo::DescribeAll(const ServerCall& call, NodesDone done) {
  AskAllPeers(context_, context_.StateOf(call.loop()), kDescribe,
              peer::v1::DescribeRequest().SerializeAsString(), PeerDeadline(call),
              [this, done = std::move(done)](const std::vector<PeerAnswer>& answers) mutable {
                const auto view = context_.directory.view();
                std::map<std::string, v1::NodeInfo> by_id = InfosOf(*view);
                by_id[context_.self.value()].MergeFrom(DescribeSelf());
                std::vector<v1::MissingNode> missing;
                for (const PeerAnswer& answer : answers)
                  FillFromAnswer(answer, by_id[answer.node.value()], missing);
                std::vector<v1::NodeInfo> nodes;
                for (auto& [id, node] : by_id) nodes.push_back(std::move(node));
                done(std::move(nodes), std::move(missing));
              });
}

void ClusterInfo::ListNodes(ServerCall call, const v1::ListNodesRequest&) {
  auto shared = std::make_shared<ServerCall>(std::move(call));
  DescribeAll(*shared,
              [this, shared](std::vector<v1::NodeInfo> nodes, const std::vector<v1::MissingNode>&) {
                v1::ListNodesResponse reply;
                for (v1::NodeInfo& node : nodes) *reply.add_nodes() = std::move(node);
                Answer(*shared, reply);
              });
}

void ClusterInfo::GetStatus(ServerCall call, const v1::GetStatusRequest&) {
  auto shared = std::make_shared<ServerCall>(std::move(call));
  DescribeAll(*shared, [this, shared](std::vector<v1::NodeInfo> nodes,
                                      std::vector<v1::MissingNode> missing) {
    v1::GetStatusResponse reply;
    FillConnectivity(*context_.directory.view(), reply);
    reply.set_cluster_id(context_.directory.cluster_id());
    reply.set_cluster_name(context_.config.cluster);
    reply.set_node_id(context_.self.value());
    for (v1::NodeInfo& node : nodes) {
      reply.set_spaces(reply.spaces() + node.spaces());
      reply.set_memories(reply.memories() + node.memories());
      *reply.add_nodes() = std::move(node);
    }
    // Who has not found the cluster has nobody to miss.
    reply.set_whole(missing.empty() && reply.connectivity() != "starting");
    for (v1::MissingNode& node : missing) *reply.add_missing() = std::move(node);
    AddWire(context_.loops, *reply.mutable_wire());
    AddConnections(shared, std::move(reply));
  });
}

void ClusterInfo::AddConnections(const std::shared_ptr<ServerCall>& call,
                                 v1::GetStatusResponse reply) {
  context_.pool.Health([this, call, reply = std::move(reply)](
                           const std::vector<net::NodeConnections>& nodes) mutable {
    *reply.mutable_connections() = Summary(nodes);
    // The pool answers on any loop.
    call->loop().Post([this, call, reply = std::move(reply)] { Answer(*call, reply); });
  });
}

void ClusterInfo::ResolveRoute(ServerCall call, const v1::ResolveRouteRequest& request) {
  if (absl::Status status = CheckSpaceName("space", request.space()); !status.ok())
    return call.Reply(status);
  const routing::Knowledge knowledge = context_.KnowledgeOf(request.space());
  std::mt19937_64 random(0);  // only the strategy is shown, which is not left to chance
  const routing::Decision decision =
      Decide(routing::Operation::kRecall, {}, knowledge, context_.view(), Now(), random);
  auto fill = [this](routing::NodeIndex node, v1::NodeAddress* out) {
    out->set_id(context_.nodes.IdOf(node).value());
    if (const std::string* address = context_.directory.AddressOf(node)) {
      out->set_address(*address);
    }
  };
  v1::ResolveRouteResponse reply;
  reply.set_space(request.space());
  if (const routing::Route* known = Authority(knowledge, context_.view())) {
    if (known->primary != routing::kNoNode) fill(known->primary, reply.mutable_primary());
    for (routing::NodeIndex replica : known->replicas()) fill(replica, reply.add_replicas());
    *reply.mutable_version() = ToProto(context_.nodes.ToVersion(known->version));
  } else {
    fill(knowledge.proposed, reply.mutable_primary());
  }
  reply.set_source(std::string(NameOf(decision.source)));
  reply.set_strategy(std::string(NameOf(decision.strategy)));
  Answer(call, reply);
}

void ClusterInfo::RemoveNode(ServerCall call, const v1::RemoveNodeRequest& request) {
  if (absl::Status status = CheckNodeId("id", request.id()); !status.ok()) {
    return call.Reply(status);
  }
  control_.Remove(NodeId(request.id()),
                  [call = std::move(call)](const absl::Status& status) mutable {
                    if (!status.ok()) return call.Reply(status);
                    call.Reply(v1::RemoveNodeResponse().SerializeAsString());
                  });
}

void ClusterInfo::MoveSpace(ServerCall call, const v1::MoveSpaceRequest& request) {
  absl::Status status = CheckSpaceName("space", request.space());
  if (status.ok()) status = CheckNodeId("primary", request.primary());
  if (status.ok() && context_.replication == nullptr) {
    status = MakeError(ErrorCode::kUnimplemented, "this node keeps one copy of each space");
  }
  if (!status.ok()) return call.Reply(status);
  net::EventLoop& loop = call.loop();
  const TimePoint deadline = OperationDeadline(call.deadline(), context_.config.deadline, Now());
  auto shared = std::make_shared<ServerCall>(std::move(call));
  context_.replication->Move(SpaceId(request.space()), NodeId(request.primary()), deadline,
                             [this, &loop, shared](const absl::Status& moved) {
                               loop.Post([this, shared, moved] {
                                 if (!moved.ok()) return shared->Reply(moved);
                                 Answer(*shared, v1::MoveSpaceResponse());
                               });
                             });
}

// Registers a method whose request is parsed here: these are not routed.
template <class Request>
void Add(net::Server& server, std::string_view method, const std::shared_ptr<ClusterInfo>& info,
         void (ClusterInfo::*handler)(ServerCall, const Request&)) {
  server.AddUnary(method, [info, handler](ServerCall call, std::string body) {
    Request request;
    if (!request.ParseFromString(body)) {
      return call.Reply(InvalidArgument("message", "the bytes are not a valid protobuf message"));
    }
    if (absl::Status status = CheckKnownFields(request); !status.ok()) return call.Reply(status);
    ((*info).*handler)(std::move(call), request);
  });
}

}  // namespace

void AddClusterServices(net::Server& server, NodeContext& context, const memory::Engine& engine,
                        cluster::ControlPlane& control, WallMillis started) {
  auto info = std::make_shared<ClusterInfo>(context, engine, control, started);
  Add(server, "/engram.v1.SpacesService/ListSpaces", info, &ClusterInfo::ListSpaces);
  Add(server, "/engram.v1.ClusterService/ListNodes", info, &ClusterInfo::ListNodes);
  Add(server, "/engram.v1.ClusterService/GetStatus", info, &ClusterInfo::GetStatus);
  Add(server, "/engram.v1.ClusterService/ResolveRoute", info, &ClusterInfo::ResolveRoute);
  Add(server, "/engram.v1.ClusterService/RemoveNode", info, &ClusterInfo::RemoveNode);
  Add(server, "/engram.v1.ClusterService/MoveSpace", info, &ClusterInfo::MoveSpace);
  Add(server, kDescribe, info, &ClusterInfo::Describe);
  Add(server, kListLocalSpaces, info, &ClusterInfo::ListLocalSpaces);
}

}  // namespace engram::server
