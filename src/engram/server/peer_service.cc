#include "engram/server/peer_service.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "engram/peer/v1/peer.pb.h"
#include "engram/routing/route_names.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"
#include "engram/server/ownership.h"
#include "engram/server/request_metadata.h"

namespace engram::server {
namespace {

using net::ServerCall;

// The only preference that matters here: a replica must not answer for the primary.
routing::ReadPolicy PolicyOf(const ServerCall& call) {
  auto name = call.metadata().Find(kMdReadPreference);
  if (name != NameOf(routing::ReadPreference::kPrimary)) return {};
  return {routing::ReadPreference::kPrimary, false};
}

// Whether the sender chose this node by an older version of the assignment. Nearly always it is the
// same one, which takes no parsing to see.
bool RoutedByOlder(const ServerCall& call, const Version& known) {
  auto bytes = call.metadata().Find(kMdRouteVersion);
  if (bytes == EncodeVersion(known)) return false;
  v1::Version proto;
  if (!bytes.has_value() || !proto.ParseFromArray(bytes->data(), static_cast<int>(bytes->size())))
    return known > Version{};
  return known > FromProto(proto);
}

void Reply(NodeContext& context, ServerCall& call, absl::StatusOr<std::string> reply) {
  context.metrics.RecordPeer(context.StateOf(call.loop()).index, CodeOf(reply.status()));
  call.Reply(std::move(reply));
}

void Answer(NodeContext& context, const SpaceId& space, ServerCall& call,
            absl::StatusOr<std::string> reply) {
  call.AddTrailer(kMdServedBy, context.self.view(), net::Recurrence::kRepeated);
  if (context.reachability.Load().partitioned) call.AddTrailer(kMdDegraded, "1");
  const routing::Knowledge knowledge = context.KnowledgeOf(space.view());
  const routing::Route* newest = Authority(knowledge, context.view());
  if (newest != nullptr && RoutedByOlder(call, context.nodes.ToVersion(newest->version))) {
    call.AddTrailer(kMdAssignment,
                    ToProto(ToAssignment(space, *newest, context.nodes)).SerializeAsString());
  }
  Reply(context, call, std::move(reply));
}

// Ownership comes before everything that may refuse for lack of time or room: a busy node that does
// not own the space still says who does (SPEC R4).
void Handle(routing::Operation op, NodeContext& context, LocalService& local, ServerCall call,
            std::string body) {
  if (absl::Status status = CheckCluster(context, call); !status.ok())
    return Reply(context, call, status);
  SpaceId space(call.metadata().Find(kMdSpace).value_or(""));
  auto identity = IdentityFrom(call.metadata(), routing::IsWrite(op));
  if (!identity.ok()) return Reply(context, call, identity.status());
  const bool create = call.metadata().Find(kMdCreate).has_value();
  if (absl::Status status = RefusalOf(context, op, PolicyOf(call), space, create); !status.ok()) {
    return Reply(context, call, status);
  }
  LocalRequest request{op,
                       space,
                       std::move(body),
                       *identity,
                       memory::CreateSpace::kYes,
                       call.deadline(),
                       context.reachability.Load().ConfidenceFactor()};
  net::EventLoop& loop = call.loop();
  local.Serve(loop, std::move(request),
              [&context, space, call = std::move(call)](absl::StatusOr<std::string> reply) mutable {
                Answer(context, space, call, std::move(reply));
              });
}

void HandleHolds(const NodeContext& context, ServerCall call, const std::string& body) {
  if (absl::Status status = CheckCluster(context, call); !status.ok()) return call.Reply(status);
  peer::v1::HoldsRequest request;
  if (!request.ParseFromString(body)) {
    return call.Reply(InvalidArgument("message", "the bytes are not a valid HoldsRequest"));
  }
  peer::v1::HoldsResponse reply;
  if (auto held = context.held.FindAssignment(request.space())) {
    *reply.mutable_assignment() = ToProto(*held);
  } else if (auto heard = context.table.FindAssignment(request.space())) {
    *reply.mutable_heard() = ToProto(*heard);
  }
  call.Reply(reply.SerializeAsString());
}

}  // namespace

absl::Status CheckCluster(const NodeContext& context, const ServerCall& call) {
  std::string_view cluster = call.metadata().Find(kMdCluster).value_or("");
  if (cluster == context.config.cluster) return absl::OkStatus();
  return InvalidArgument(kMdCluster,
                         fmt::format("node {} is of cluster '{}', the request came from '{}'",
                                     context.self.value(), context.config.cluster, cluster));
}

absl::Status CheckHeld(const NodeContext& context, const SpaceId& space) {
  return RefusalOf(context, routing::Operation::kRecall, {}, space, false);
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
