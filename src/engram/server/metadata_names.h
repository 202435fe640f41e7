// The names of Engram's own gRPC metadata (DESIGN §3), in one place. proto/ documents what each
// carries.
#pragma once

#include <string_view>

#include "engram/cluster/gossip_methods.h"

namespace engram::server {

// From clients.
inline constexpr std::string_view kMdRequestId = "engram-request-id";
inline constexpr std::string_view kMdExplain = "engram-explain";
inline constexpr std::string_view kMdReadPreference = "engram-read-preference";

inline constexpr std::string_view kMdAck = "engram-ack";
inline constexpr std::string_view kMdSession = "engram-session";

// Between nodes; the same from a client is not read.
using cluster::kMdCluster;
inline constexpr std::string_view kMdSpace = "engram-space";
inline constexpr std::string_view kMdHop = "engram-hop";
inline constexpr std::string_view kMdCreate = "engram-create";
inline constexpr std::string_view kMdLine = "engram-line";
inline constexpr std::string_view kMdRouteVersion = "engram-route-version-bin";

// Trailing.
inline constexpr std::string_view kMdServedBy = "engram-served-by";
inline constexpr std::string_view kMdAssignment = "engram-assignment-bin";
inline constexpr std::string_view kMdDegraded = "engram-degraded";
inline constexpr std::string_view kMdStaleness = "engram-staleness-ms";
inline constexpr std::string_view kMdRoute = "engram-route-bin";

}  // namespace engram::server
