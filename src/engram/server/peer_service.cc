#include "engram/server/peer_service.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "engram/peer/v1/peer.pb.h"
#include "engram/routing/route_names.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"
#include "engram/server/ownership.h"
#include "engram/server/peer_request.h"
#include "engram/server/request_metadata.h"

namespace engram::server {
namespace {

using net::ServerCall;

absl::StatusOr<PeerRequest> ToPeerRequest(routing::Operation op, const NodeContext& context,
                                          const ServerCall& call, std::string body) {
  if (absl::Status status = CheckCluster(context, call); !status.ok()) return status;
  const net::Metadata& metadata = call.metadata();
  auto identity = IdentityFrom(metadata, routing::IsWrite(op));
  if (!identity.ok()) return identity.status();
  const std::string_view space = metadata.Find(kMdSpace).value_or("");
  auto ack = AckFrom(metadata);
  if (!ack.ok()) return ack.status();
  auto session = SessionFrom(metadata, space);
  if (!session.ok()) return session.status();
  return PeerRequest{
      op,
      SpaceId(space),
      PeerPolicy(metadata.Find(kMdReadPreference) == NameOf(routing::ReadPreference::kPrimary)),
      *identity,
      metadata.Find(kMdCreate).has_value(),
      std::string(metadata.Find(kMdRouteVersion).value_or("")),
      call.deadline(),
      std::move(body),
      ack->value_or(routing::Ack::kPrimary),
      *std::move(session)};
}

void Reply(ServerCall& call, NodeContext& context, PeerAnswer answer) {
  call.AddTrailer(kMdServedBy, context.self.view(), net::Recurrence::kRepeated);
  if (answer.degraded) call.AddTrailer(kMdDegraded, "1");
  if (!answer.assignment.empty()) call.AddTrailer(kMdAssignment, answer.assignment);
  if (!answer.seen.empty()) call.AddTrailer(kMdSession, answer.seen);
  if (answer.staleness_ms.has_value()) {
    call.AddTrailer(kMdStaleness, fmt::format_int(*answer.staleness_ms).str());
  }
  call.Reply(std::move(answer.message));
}

void Handle(routing::Operation op, NodeContext& context, LocalService& local, ServerCall call,
            std::string body) {
  LoopState& loop = context.StateOf(call.loop());
  auto request = ToPeerRequest(op, context, call, std::move(body));
  if (!request.ok()) {
    context.metrics.RecordPeer(loop.index, CodeOf(request.status()));
    return call.Reply(request.status());
  }
  ServePeer(context, local, loop, *std::move(request),
            [&context, call = std::move(call)](PeerAnswer answer) mutable {
              Reply(call, context, std::move(answer));
            });
}

void HandleHolds(const NodeContext& context, ServerCall call, const std::string& body) {
  if (absl::Status status = CheckCluster(context, call); !status.ok()) return call.Reply(status);
  peer::v1::HoldsRequest request;
  if (!request.ParseFromString(body)) {
    return call.Reply(InvalidArgument("message", "the bytes are not a valid HoldsRequest"));
  }
  peer::v1::HoldsResponse reply;
  for (const std::string& space : request.spaces()) {
    if (auto held = context.held.FindAssignment(space)) {
      *reply.add_held() = ToProto(*held);
    } else if (auto heard = context.table.FindAssignment(space)) {
      *reply.add_heard() = ToProto(*heard);
    }
  }
  call.Reply(reply.SerializeAsString());
}

absl::Status NotAMemberYet(const NodeId& self) {
  return MakeError(ErrorCode::kNoLocalData,
                   fmt::format("node {} is no member of a cluster yet", self.value()));
}

}  // namespace

absl::Status CheckCluster(const NodeContext& context, const ServerCall& call) {
  std::string_view cluster = call.metadata().Find(kMdCluster).value_or("");
  const std::string& ours = context.directory.cluster_id();
  if (cluster == ours && !ours.empty()) return absl::OkStatus();
  // Not the fault of the request: another node may serve it, or this one soon.
  if (ours.empty()) return NotAMemberYet(context.self);
  return InvalidArgument(kMdCluster,
                         fmt::format("node {} is of cluster '{}', the request came from '{}'",
                                     context.self.value(), ours, cluster));
}

void AddPeerService(net::Server& server, NodeContext& context, LocalService& local) {
  for (const OperationMethods& methods : kOperations) {
    server.AddUnary(methods.peer,
                    [op = methods.op, &context, &local](ServerCall call, std::string body) {
                      Handle(op, context, local, std::move(call), std::move(body));
                    });
  }
  server.AddUnary(kHoldsMethod, [&context](ServerCall call, const std::string& body) {
    HandleHolds(context, std::move(call), body);
  });
}

}  // namespace engram::server
