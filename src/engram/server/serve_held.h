// Serves a request on this node's copy of its space, and says how good the copy is. The one way to
// LocalService for all routed requests, wherever they come from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/server/local_service.h"
#include "engram/server/node_context.h"

namespace engram::server {

struct HeldAnswer {
  absl::StatusOr<std::string> message;
  bool degraded = false;
  // In the message, too, if it has a field for it.
  std::optional<uint64_t> staleness_ms;
  // Of a read: a session token of what this copy had; may be empty.
  std::string seen;
};

// WrongNode if the request's session has seen what this copy lacks, and another holder may have it.
// `done` runs on the loop, once, perhaps before this returns. `context` and `local` outlive it.
// REQUIRES: on `loop`.
void ServeHeld(NodeContext& context, LocalService& local, LoopState& loop, LocalRequest request,
               absl::AnyInvocable<void(HeldAnswer)> done);

}  // namespace engram::server
