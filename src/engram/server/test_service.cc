#include "engram/server/test_service.h"

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

template <class Request, class Response>
void Add(net::Server& server, NodeContext& context, std::string_view method,
         Response (*handle)(NodeContext&, const Request&)) {
  server.AddUnary(fmt::format("/engram.peer.v1.TestService/{}", method),
                  [&context, handle](net::ServerCall call, const std::string& body) {
                    absl::Status status = CheckCluster(context, call);
                    if (!status.ok()) return call.Reply(status);
                    Request request;
                    if (!request.ParseFromString(body)) {
                      return call.Reply(InvalidArgument("message", "the bytes are malformed"));
                    }
                    call.Reply(handle(context, request).SerializeAsString());
                  });
}

}  // namespace

void AddTestService(net::Server& server, NodeContext& context) {
  Add(server, context, "InstallTable", InstallTable);
  Add(server, context, "Hold", Hold);
  Add(server, context, "Drop", Drop);
  Add(server, context, "Reach", Reach);
}

}  // namespace engram::server
