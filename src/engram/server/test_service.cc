#include "engram/server/test_service.h"

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engram/base/error.h"
#include "engram/peer/v1/test.pb.h"
#include "engram/server/convert.h"
#include "engram/server/peer_service.h"

namespace engram::server {
namespace {

namespace proto = peer::v1;

proto::InstallTableResponse InstallTable(NodeContext& context,
                                         const proto::InstallTableRequest& request) {
  std::vector<placement::Assignment> table;
  for (const v1::Assignment& assignment : request.assignments()) {
    table.push_back(FromProto(assignment));
  }
  context.table.ReplaceForTest(table);
  return {};
}

proto::HoldResponse Hold(NodeContext& context, const proto::HoldRequest& request) {
  const placement::Assignment assignment = FromProto(request.assignment());
  context.held.Apply(std::span(&assignment, 1));
  context.table.Apply(std::span(&assignment, 1));
  return {};
}

proto::DropResponse Drop(NodeContext& context, const proto::DropRequest& request) {
  std::vector<placement::Assignment> rest = context.held.All();
  std::erase_if(rest, [&](const auto& held) { return held.space.view() == request.space(); });
  context.held.ReplaceForTest(rest);
  return {};
}

proto::ReachResponse Reach(NodeContext& context, const proto::ReachRequest& request) {
  const bool cut_off = request.reachable() * 2 <= request.total();
  context.reachability.Store({cut_off, request.reachable(), request.total()});
  return {};
}

// In place: spaces of tests are small.
absl::StatusOr<proto::InspectCopyResponse> InspectCopy(memory::Engine& engine,
                                                       const proto::InspectCopyRequest& request) {
  const SpaceId space(request.space());
  const auto digest = engine.Digest(space);
  if (!digest.ok()) return digest.status();
  const auto log = engine.log().FindLog(space);
  if (!log) return MakeError(ErrorCode::kNoAssignment, "space is not held here");
  proto::InspectCopyResponse response;
  response.set_digest_high(digest->high);
  response.set_digest_low(digest->low);
  *response.mutable_last() = ToProto(log->last());
  response.set_outbox_entries(log->outbox_entries);
  return response;
}

template <class Request, class Handle>
void Add(net::Server& server, const NodeContext& context, std::string_view method, Handle handle) {
  server.AddUnary(fmt::format("/engram.peer.v1.TestService/{}", method),
                  [&context, handle](net::ServerCall call, const std::string& body) {
                    absl::Status status = CheckCluster(context, call);
                    if (!status.ok()) return call.Reply(status);
                    Request request;
                    if (!request.ParseFromString(body)) {
                      return call.Reply(InvalidArgument("message", "the bytes are malformed"));
                    }
                    const auto response = handle(request);
                    if (!response.ok()) return call.Reply(response.status());
                    call.Reply(response->SerializeAsString());
                  });
}

template <class Request, class Response>
void Add(net::Server& server, NodeContext& context, std::string_view method,
         Response (*handle)(NodeContext&, const Request&)) {
  Add<Request>(server, context, method,
               [&context, handle](const Request& request) -> absl::StatusOr<Response> {
                 return handle(context, request);
               });
}

}  // namespace

void AddTestService(net::Server& server, NodeContext& context, memory::Engine& engine) {
  Add(server, context, "InstallTable", InstallTable);
  Add(server, context, "Hold", Hold);
  Add(server, context, "Drop", Drop);
  Add(server, context, "Reach", Reach);
  Add<proto::InspectCopyRequest>(
      server, context, "InspectCopy",
      [&engine](const proto::InspectCopyRequest& request) { return InspectCopy(engine, request); });
}

}  // namespace engram::server
