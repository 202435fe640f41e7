// Nodes by number inside the routing core: a route is then a plain value, and a node's state an
// index away instead of a hash of its name. routing/node_table.h gives the numbers out.
#pragma once

#include <cstdint>

namespace engram::routing {

enum class NodeIndex : uint32_t {};

inline constexpr NodeIndex kNoNode{0xFFFF'FFFF};

}  // namespace engram::routing
