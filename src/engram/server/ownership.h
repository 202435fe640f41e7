// Whether this node may serve what another one passed on to it, and what it says if not.
#pragma once

#include "absl/status/status.h"
#include "engram/server/node_context.h"

namespace engram::server {

// OK, or WrongNode with the newest assignment that this node knows, or NoAssignment. `create`: the
// sender has asked every node, and nobody who answered holds the space. Thread-safe.
[[nodiscard]] absl::Status RefusalOf(const NodeContext& context, routing::Operation op,
                                     const routing::ReadPolicy& policy, const SpaceId& space,
                                     bool create);

// The refusal of a holder that may not serve it at present: with the newest assignment that this
// node knows. REQUIRES: it knows one.
[[nodiscard]] absl::Status WrongNodeFor(const NodeContext& context, const SpaceId& space);

}  // namespace engram::server
