// engram.peer.v1.PeerService: what other nodes call. Serves what this node owns, answers WrongNode
// to the rest, never passes a request on (SPEC §9: one place decides, hops stay bounded).
#pragma once

#include "engram/net/server.h"
#include "engram/server/local_service.h"
#include "engram/server/node_context.h"

namespace engram::server {

// Registers the routed methods. All arguments must outlive the server. REQUIRES: before
// server.Start().
void AddPeerService(net::Server& server, NodeContext& context, LocalService& local);

// What every method between nodes checks. Refuses a request that comes from another cluster.
[[nodiscard]] absl::Status CheckCluster(const NodeContext& context, const net::ServerCall& call);

}  // namespace engram::server
