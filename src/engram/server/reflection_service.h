// grpc.reflection.v1 (and v1alpha, which has the same bytes under another name): lets tools such as
// `buf curl` call a node without having its protos.
#pragma once

#include <string>

#include "engram/net/server.h"

namespace engram::server {

// REQUIRES: before server.Start().
void AddReflectionService(net::Server& server);

// The answer to one serialized ServerReflectionRequest. Pure; thread-safe.
std::string AnswerReflection(const std::string& request);

}  // namespace engram::server
