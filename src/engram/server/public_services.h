// The services that a node offers to everybody: what health checks and reflection know.
#pragma once

#include <array>
#include <string_view>

namespace engram::server {

inline constexpr std::array<std::string_view, 6> kPublicServices = {
    "engram.v1.ClusterService",
    "engram.v1.MemoryService",
    "engram.v1.SpacesService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
};

}  // namespace engram::server
