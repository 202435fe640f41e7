#include "engram/server/memory_service.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "engram/base/names.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"
#include "engram/server/peek.h"
#include "engram/server/request_metadata.h"
#include "engram/server/store_stream.h"

namespace engram::server {
namespace {

using net::ServerCall;

absl::StatusOr<RoutedRequest> ToRouted(routing::Operation op, const ServerCall& call,
                                       std::string body, const NodeContext& context,
                                       LoopState& loop) {
  RoutedRequest request{op,
                        {},
                        std::move(body),
                        {},
                        OperationDeadline(call.deadline(), context.config.deadline, Now()),
                        {}};
  auto space = PeekSpace(request.body);
  if (!space.has_value()) {
    return InvalidArgument(
        "message", "the bytes are not a valid protobuf message; it is malformed or cut off");
  }
  if (absl::Status status = CheckSpaceName("space", *space); !status.ok()) return status;
  request.space = SpaceId(*space);
  if (routing::IsWrite(op)) {
    auto id = RequestIdFrom(call.metadata(), loop);
    if (!id.ok()) return id.status();
    request.identity.request_id = *id;
    auto ack = AckFrom(call.metadata());
    if (!ack.ok()) return ack.status();
    request.ack = AckOf(context.config, *ack, request.space.view());
    return request;
  }
  auto session = SessionFrom(call.metadata(), request.space.view());
  if (!session.ok()) return session.status();
  request.session = *std::move(session);
  auto preference = ReadPreferenceFrom(call.metadata());
  if (!preference.ok()) return preference.status();
  request.policy = ReadPolicyOf(context.config, *preference, request.space.view());
  return request;
}

void Handle(routing::Operation op, NodeContext& context, Router& router, ServerCall call,
            std::string body) {
  LoopState& loop = context.StateOf(call.loop());
  auto request = ToRouted(op, call, std::move(body), context, loop);
  if (!request.ok()) return call.Reply(request.status());
  auto shared = std::make_shared<ServerCall>(std::move(call));
  auto remote = router.Route(loop, *std::move(request), [shared](RoutedReply reply) {
    AnswerClient(*shared, std::move(reply));
  });
  if (!remote.expired()) shared->OnCancel([remote] { Router::Cancel(remote); });
}

}  // namespace

void AnswerClient(ServerCall& call, RoutedReply reply) {
  if (!reply.served_by.empty()) {
    call.AddTrailer(kMdServedBy, reply.served_by.view(), net::Recurrence::kRepeated);
  }
  if (reply.degraded) call.AddTrailer(kMdDegraded, "1");
  if (!reply.seen.empty()) call.AddTrailer(kMdSession, reply.seen);
  if (reply.staleness_ms.has_value()) {
    call.AddTrailer(kMdStaleness, fmt::format_int(*reply.staleness_ms).str());
  }
  if (call.metadata().Find(kMdExplain).has_value()) {
    call.AddTrailer(kMdRoute, ToProto(reply.attempts).SerializeAsString());
  }
  call.Reply(std::move(reply.message));
}

void AddMemoryService(net::Server& server, NodeContext& context, Router& router) {
  for (const OperationMethods& methods : kOperations) {
    server.AddUnary(methods.client,
                    [op = methods.op, &context, &router](ServerCall call, std::string body) {
                      Handle(op, context, router, std::move(call), std::move(body));
                    });
  }
  server.AddStream(kStoreStreamMethod, [&context, &router](ServerCall call) {
    ServeStoreStream(context, router, std::move(call));
  });
}

}  // namespace engram::server
