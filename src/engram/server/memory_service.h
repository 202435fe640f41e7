// engram.v1.MemoryService: what clients call. Reads the space out of the raw request and gives it
// to the router.
#pragma once

#include "engram/net/server.h"
#include "engram/server/router.h"

namespace engram::server {

// Registers the service. `context` and `router` must outlive the server. REQUIRES: before
// server.Start().
void AddMemoryService(net::Server& server, NodeContext& context, Router& router);

// The answer to a client, with its trailing metadata.
void AnswerClient(net::ServerCall& call, RoutedReply reply);

}  // namespace engram::server
