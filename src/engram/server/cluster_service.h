// What there is in the cluster: engram.v1.SpacesService, engram.v1.ClusterService, and the peer
// methods they ask (Describe, ListLocalSpaces).
#pragma once

#include "engram/cluster/control_plane.h"
#include "engram/memory/engine.h"
#include "engram/net/server.h"
#include "engram/server/node_context.h"

namespace engram::server {

// All arguments must outlive the server. `started` is when this process began. REQUIRES: before
// server.Start().
void AddClusterServices(net::Server& server, NodeContext& context, const memory::Engine& engine,
                        cluster::ControlPlane& control, WallMillis started);

}  // namespace engram::server
