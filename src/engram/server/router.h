// Carries one request to a node that owns its space: looks the space up, decides, and either serves
// it here or drives the attempt machine (routing/call_plan.h) over this loop's own connections.
//
// Thread-safety: Route() on any loop of the node; `done` runs on the same loop, exactly once. The
// router outlives every request.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "engram/routing/call_plan.h"
#include "engram/server/local_service.h"
#include "engram/server/node_context.h"

namespace engram::server {

struct RoutedRequest {
  routing::Operation op;
  SpaceId space;
  std::string body;  // passed on unchanged
  memory::WriteIdentity identity;
  TimePoint deadline;
  routing::ReadPolicy policy;
};

struct RoutedReply {
  absl::StatusOr<std::string> message;
  NodeId served_by;
  bool degraded = false;
  routing::AttemptRecords attempts;
  routing::CallStats stats;
};

// What a node that is cut off answers about a space that it does not hold.
absl::Status CutOffError(const NodeContext& context, const SpaceId& space);

class Router {
 public:
  using Done = absl::AnyInvocable<void(RoutedReply)>;

  // A request on its way to another node.
  class RemoteCall;

  Router(NodeContext& context, LocalService& local);

  // Returns what Cancel() needs while the request is with another node, else null. REQUIRES: on
  // `loop`.
  std::weak_ptr<RemoteCall> Route(LoopState& loop, RoutedRequest request, Done done);

  // Stops waiting for it and tells the other node; `done` then gets CANCELLED. Nothing if it has
  // ended.
  static void Cancel(const std::weak_ptr<RemoteCall>& call);

 private:
  void ServeHere(LoopState& loop, RoutedRequest request, bool degraded, Done done);
  void Refuse(const LoopState& loop, const RoutedRequest& request, Done done) const;

  NodeContext& context_;
  LocalService& local_;
  routing::CallPlanOptions plan_options_;
};

}  // namespace engram::server
