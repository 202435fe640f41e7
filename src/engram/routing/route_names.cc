#include "engram/routing/route_names.h"

namespace engram::routing {

using placement::Assignment;

namespace {

NodeIndex Number(const NodeId& node, NodeTable& nodes) {
  return node.empty() ? kNoNode : nodes.Intern(node);
}

NodeId Name(NodeIndex node, const NodeTable& nodes) {
  return node == kNoNode ? NodeId() : nodes.IdOf(node);
}

}  // namespace

RouteVersion ToRouteVersion(const Version& version, NodeTable& nodes) {
  return {version.epoch.counter, version.sequence, Number(version.epoch.primary, nodes)};
}

std::optional<Route> ToRoute(const Assignment& assignment, NodeTable& nodes) {
  if (assignment.replicas.size() > Route::kReplicasMax) return std::nullopt;
  Route route;
  route.version = ToRouteVersion(assignment.version, nodes);
  route.primary = Number(assignment.primary, nodes);
  for (const NodeId& replica : assignment.replicas) {
    route.replica[route.replica_count++] = Number(replica, nodes);
  }
  return route;
}

Assignment ToAssignment(SpaceId space, const Route& route, const NodeTable& nodes) {
  Assignment assignment{
      std::move(space), Name(route.primary, nodes), {}, nodes.ToVersion(route.version)};
  for (NodeIndex replica : route.replicas()) assignment.replicas.push_back(Name(replica, nodes));
  return assignment;
}

}  // namespace engram::routing
