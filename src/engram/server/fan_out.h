// Asks every other member the same question at once and waits for all answers (or their failure).
// Who is held dead is not asked, and nobody is while this node is cut off (SPEC R12).
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

// `done` gets one answer per other node of the cluster, in the order of their ids, on
// `loop`; not from within this call unless there is nobody to ask. Every call ends by `deadline`.
void AskAllPeers(NodeContext& context, LoopState& loop, std::string_view method,
                 const std::string& request, TimePoint deadline,
                 absl::AnyInvocable<void(std::vector<PeerAnswer>)> done);

}  // namespace engram::server
