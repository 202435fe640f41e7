// grpc.testing.TestService, the service of gRPC's public interop list, on our own wire.
//
// As the list asks: replies of the sizes and at the intervals that the request names, its
// response_status returned, and the metadata x-grpc-test-echo-initial and
// x-grpc-test-echo-trailing-bin sent back where their names say. UnimplementedCall is left out on
// purpose.
#pragma once

#include "engram/net/server.h"

namespace engram::interop {

// REQUIRES: before server.Start().
void AddTestService(net::Server& server);

}  // namespace engram::interop
