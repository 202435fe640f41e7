// Asks every other node the same question at once and waits for all answers (or their failure).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/net/channel.h"
#include "engram/server/node_context.h"

namespace engram::server {

struct PeerAnswer {
  NodeId node;
  net::CallResult result;
  Duration took{};
};

// `done` gets one answer per other node of the cluster, in the order of the configuration, on
// `loop`; not from within this call unless there are no other nodes. Every call ends by `deadline`.
void AskAllPeers(NodeContext& context, LoopState& loop, std::string_view method,
                 const std::string& request, TimePoint deadline,
                 absl::AnyInvocable<void(std::vector<PeerAnswer>)> done);

}  // namespace engram::server
