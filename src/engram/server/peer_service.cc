#include "engram/server/peer_service.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"
#include "engram/server/request_metadata.h"

namespace engram::server {
namespace {

using net::ServerCall;
using routing::Ownership;

absl::Status NotHere(const NodeContext& context, const SpaceId& space) {
  ErrorDetail detail{ErrorCode::kNoAssignment, "", space.value(), context.self.value(), {}};
  return MakeError(detail, fmt::format("there is no space '{}'", space.value()));
}

absl::Status WrongNode(const NodeContext& context, const placement::Assignment& known) {
  ErrorDetail detail{ErrorCode::kWrongNode, "", known.space.value(), context.self.value(), {}};
  absl::Status status = MakeError(
      detail, fmt::format("node {} does not own space '{}', node {} does", context.self.value(),
                          known.space.value(), known.primary.value()));
  AttachAssignment(known, status);
  return status;
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
  std::optional<placement::Assignment> known = context.table.FindAssignment(space.view());
  if (known.has_value() && RoutedByOlder(call, known->version)) {
    call.AddTrailer(kMdAssignment, ToProto(*known).SerializeAsString());
  }
  Reply(context, call, std::move(reply));
}

void Handle(routing::Operation op, NodeContext& context, LocalService& local, ServerCall call,
            std::string body) {
  if (absl::Status status = CheckCluster(context, call); !status.ok())
    return Reply(context, call, status);
  SpaceId space(call.metadata().Find(kMdSpace).value_or(""));
  auto identity = IdentityFrom(call.metadata(), routing::IsWrite(op));
  if (!identity.ok()) return Reply(context, call, identity.status());
  std::optional<placement::Assignment> known = context.table.FindAssignment(space.view());
  Ownership ownership = CheckOwnership(op, known ? &*known : nullptr,
                                       context.ring.FirstHolder(space.view()), context.self);
  if (ownership == Ownership::kWrongNode) return Reply(context, call, WrongNode(context, *known));
  if (ownership == Ownership::kNotHere) return Reply(context, call, NotHere(context, space));
  LocalRequest request{
      op,
      space,
      std::move(body),
      *identity,
      ownership == Ownership::kCreate ? memory::CreateSpace::kYes : memory::CreateSpace::kNo,
      call.deadline()};
  net::EventLoop& loop = call.loop();
  local.Serve(loop, std::move(request),
              [&context, space, call = std::move(call)](absl::StatusOr<std::string> reply) mutable {
                Answer(context, space, call, std::move(reply));
              });
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
  std::optional<placement::Assignment> known = context.table.FindAssignment(space.view());
  const Ownership ownership = CheckOwnership(routing::Operation::kRecall, known ? &*known : nullptr,
                                             context.ring.FirstHolder(space.view()), context.self);
  if (ownership == Ownership::kServe) return absl::OkStatus();
  return known ? WrongNode(context, *known) : NotHere(context, space);
}

void AddPeerService(net::Server& server, NodeContext& context, LocalService& local) {
  for (const OperationMethods& methods : kOperations) {
    server.AddUnary(methods.peer,
                    [op = methods.op, &context, &local](ServerCall call, std::string body) {
                      Handle(op, context, local, std::move(call), std::move(body));
                    });
  }
}

}  // namespace engram::server
