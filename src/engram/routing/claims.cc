#include "engram/routing/claims.h"

namespace engram::routing {

void Claims::Add(NodeIndex node, const std::optional<Route>& route, bool held) {
  ++result_.answered;
  if (!route.has_value()) return;
  if (!held || !route->HeldBy(node)) return AddHeard(*route);
  if (route->primary == node) {
    AddPrimary(*route);
  } else {
    AddReplica(node, *route);
  }
}

void Claims::AddHeard(const Route& heard) {
  if (result_.heard.has_value() && !nodes_.Newer(heard.version, result_.heard->version)) return;
  result_.heard = heard;
}

void Claims::AddPrimary(const Route& held) {
  const auto& best = result_.claim;
  if (best.has_value() && best->primary != kNoNode && !nodes_.Newer(held.version, best->version)) {
    return;
  }
  result_.claim = held;
}

void Claims::AddReplica(NodeIndex node, const Route& held) {
  auto& best = result_.claim;
  if (best.has_value() && best->primary != kNoNode) return;
  if (!best.has_value() || nodes_.Newer(held.version, best->version)) {
    best.emplace();
    best->version = held.version;
  }
  if (held.version != best->version || best->replica_count == Route::kReplicasMax) return;
  best->replica[best->replica_count++] = node;
}

}  // namespace engram::routing
