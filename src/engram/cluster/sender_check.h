// Whether a call comes from a node of this cluster (SPEC R17, C1).
#pragma once

#include "absl/status/status.h"
#include "engram/cluster/directory.h"
#include "engram/net/server.h"

namespace engram::cluster {

// OK if its metadata say so; else an error for the sender. Any thread.
[[nodiscard]] absl::Status CheckSender(const Directory& directory, const net::ServerCall& call);

}  // namespace engram::cluster
