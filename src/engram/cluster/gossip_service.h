// Serves engram.peer.v1.GossipService: brings each question to the control loop and its answer
// back.
#pragma once

#include "engram/cluster/control_plane.h"
#include "engram/net/server.h"

namespace engram::cluster {

// Both must outlive the server's calls. REQUIRES: before server.Start().
void AddGossipService(net::Server& server, ControlPlane& control);

}  // namespace engram::cluster
