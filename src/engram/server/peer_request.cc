#include "engram/server/peer_request.h"

#include <memory>
#include <utility>

#include "engram/routing/route_names.h"
#include "engram/server/convert.h"
#include "engram/server/ownership.h"
#include "engram/server/serve_held.h"

namespace engram::server {
namespace {

// Whether the sender chose this node by an older version of the assignment. Nearly always it is the
// same one, which takes no parsing to see.
bool RoutedByOlder(const std::string& route_version, const Version& known) {
  if (route_version == EncodeVersion(known)) return false;
  v1::Version proto;
  if (route_version.empty() || !proto.ParseFromString(route_version)) return known > Version{};
  return known > FromProto(proto);
}

// What the sender should know by now; empty if it does.
std::string NewsFor(const NodeContext& context, const SpaceId& space,
                    const std::string& route_version) {
  const routing::Knowledge knowledge = context.KnowledgeOf(space.view());
  const routing::Route* newest = Authority(knowledge, context.view());
  if (newest == nullptr) return "";
  if (!RoutedByOlder(route_version, context.nodes.ToVersion(newest->version))) return "";
  return ToProto(ToAssignment(space, *newest, context.nodes)).SerializeAsString();
}

}  // namespace

routing::ReadPolicy PeerPolicy(bool primary_only) {
  if (!primary_only) return {};
  return {routing::ReadPreference::kPrimary, false};
}

// Ownership comes before everything that may refuse for lack of time or room: a busy node that does
// not own the space still says who does (SPEC R4).
void ServePeer(NodeContext& context, LocalService& local, LoopState& loop, PeerRequest request,
               absl::AnyInvocable<void(PeerAnswer)> done) {
  absl::Status refusal =
      RefusalOf(context, request.op, request.policy, request.space, request.create);
  if (!refusal.ok()) {
    context.metrics.RecordPeer(loop.index, CodeOf(refusal));
    return done({std::move(refusal), false, ""});
  }
  const routing::Reachability reach = context.reachability.Load();
  LocalRequest here{request.op,
                    request.space,
                    std::move(request.body),
                    request.identity,
                    memory::CreateSpace::kYes,
                    request.deadline,
                    reach.ConfidenceFactor(),
                    request.ack,
                    reach.partitioned ? memory::Branch::kYes : memory::Branch::kNo,
                    std::move(request.session)};
  ServeHeld(context, local, loop, std::move(here),
            [&context, index = loop.index, space = std::move(request.space),
             route_version = std::move(request.route_version),
             done = std::move(done)](HeldAnswer answer) mutable {
              context.metrics.RecordPeer(index, CodeOf(answer.message.status()));
              const bool degraded = answer.degraded || context.reachability.Load().partitioned;
              done({std::move(answer.message), degraded, NewsFor(context, space, route_version),
                    answer.staleness_ms, std::move(answer.seen)});
            });
}

}  // namespace engram::server
