// Carries one request to a node that owns its space: looks the space up, decides, and either serves
// it here or drives the attempt machine (routing/call_plan.h) over this loop's own connections.
//
// Thread-safety: Route() on any loop of the node; `done` runs on the same loop, exactly once. The
// router outlives every request.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "engram/routing/call_plan.h"
#include "engram/server/local_service.h"
#include "engram/server/node_context.h"
#include "engram/server/serve_held.h"

namespace engram::server {

struct RoutedRequest {
  routing::Operation op;
  SpaceId space;
  std::string body;  // passed on unchanged
  memory::WriteIdentity identity;
  TimePoint deadline;
  routing::ReadPolicy policy;
  routing::Ack ack = routing::Ack::kPrimary;      // of a write
  std::optional<Version> session = std::nullopt;  // of a read: who answers must have this change
};

struct RoutedReply {
  absl::StatusOr<std::string> message;
  NodeId served_by;
  bool degraded = false;
  std::optional<uint64_t> staleness_ms = std::nullopt;  // of a read, unless it is known to be fresh
  std::string seen;                                     // as HeldAnswer's
  routing::AttemptRecords attempts;
  routing::CallStats stats;
};

// For this node's own copy; without the bytes.
LocalRequest ToLocal(const RoutedRequest& request);

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
  void OnServed(LoopState& loop, const HeldAnswer& answer, bool degraded, TimePoint started,
                Done done) const;
  // This node's copy may not serve it after all: another holder may.
  void GoElsewhere(LoopState& loop, RoutedRequest request, Done done);
  void Refuse(const LoopState& loop, const RoutedRequest& request, Done done) const;

  NodeContext& context_;
  LocalService& local_;
  routing::CallPlanOptions plan_options_;
};

}  // namespace engram::server
