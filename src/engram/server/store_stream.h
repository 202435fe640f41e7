// MemoryService/StoreStream: many stores in one call, each routed by its own space like a unary
// store.
//
// At most kInFlightMax messages are under way; while they are, nothing more is read, so flow
// control makes a fast client wait. A message whose id is under way waits for it: later lines win.
// Messages are numbered from 1; a stream that is sent again with the same request id and the same
// messages has one effect.
#pragma once

#include <string_view>

#include "engram/net/server.h"
#include "engram/server/router.h"

namespace engram::server {

inline constexpr std::string_view kStoreStreamMethod = "/engram.v1.MemoryService/StoreStream";

void ServeStoreStream(NodeContext& context, Router& router, net::ServerCall call);

}  // namespace engram::server
