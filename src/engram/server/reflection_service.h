// grpc.reflection.v1 (and v1alpha, which has the same bytes under another name): lets tools such as
// `buf curl` call a node without having its protos.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "engram/net/server.h"

namespace engram::server {

// The full names of the services to list. Any linked proto can be asked for, listed or not.
using ServiceNames = std::span<const std::string_view>;

// REQUIRES: before server.Start(). `services` outlives the server.
void AddReflectionService(net::Server& server, ServiceNames services);

// The answer to one serialized ServerReflectionRequest. Pure; thread-safe.
std::string AnswerReflection(const std::string& request, ServiceNames services);

}  // namespace engram::server
