// A pass-through for any gRPC call: what a node does with a request that is another's, without a
// thought for what is in it.
//
// Relays metadata, messages, half-close, status and details, the time that is left, and
// cancellation, each when it comes. A side that does not read makes the other wait: a message is
// asked for only when the one before has left, but for what Send() takes (1 MiB) each way.
#pragma once

#include "engram/net/channel.h"
#include "engram/net/server.h"

namespace engram::interop {

// Passes `call` on to `target`, and its answer back. On the loop of both, which are the same.
void Relay(net::ServerCall call, net::Channel& target);

}  // namespace engram::interop
