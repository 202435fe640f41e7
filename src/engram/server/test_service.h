// engram.peer.v1.TestService: lets tests put a running node into any state of its routing, and look
// at its copies. Served only with the key `test-hooks`; it is neither listed by reflection nor for
// anybody but tests.
#pragma once

#include "engram/memory/engine.h"
#include "engram/net/server.h"
#include "engram/server/node_context.h"

namespace engram::server {

// `context` and `engine` must outlive the server. REQUIRES: before server.Start().
void AddTestService(net::Server& server, NodeContext& context, memory::Engine& engine);

}  // namespace engram::server
