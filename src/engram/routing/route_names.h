// Between the two forms of an assignment: with names (placement/assignment.h), which travels and is
// stored, and with numbers (routing/route.h), which routing works with.
//
// Pure; as thread-safe as the NodeTable, which gives numbers to nodes that are new.
#pragma once

#include "engram/placement/assignment.h"
#include "engram/routing/node_table.h"
#include "engram/routing/route.h"

namespace engram::routing {

RouteVersion ToRouteVersion(const Version& version, NodeTable& nodes);

// Nothing if it has more than Route::kReplicasMax replicas.
std::optional<Route> ToRoute(const placement::Assignment& assignment, NodeTable& nodes);

placement::Assignment ToAssignment(SpaceId space, const Route& route, const NodeTable& nodes);

}  // namespace engram::routing
