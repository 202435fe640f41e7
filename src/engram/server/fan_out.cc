#include "engram/server/fan_out.h"

#include <memory>
#include <utility>

#include "engram/base/error.h"
#include "engram/server/metadata_names.h"

namespace engram::server {
namespace {

struct Gathering {
  std::vector<PeerAnswer> answers;
  size_t missing = 0;
  absl::AnyInvocable<void(std::vector<PeerAnswer>)> done;
};

// Why the node is not asked; OK if it is to be.
absl::Status ReasonNotToAsk(const NodeContext& context, routing::NodeIndex node) {
  if (context.reachability.Load().partitioned) {
    return MakeError(ErrorCode::kNoLocalData, "this node is cut off from the cluster");
  }
  const routing::Liveness liveness = context.nodes.Of(node).liveness.load();
  if (liveness != routing::Liveness::kDead) return absl::OkStatus();
  return MakeError(ErrorCode::kConnectionFailed, "it is held dead");
}

}  // namespace

void AskAllPeers(NodeContext& context, LoopState& loop, std::string_view method,
                 const std::string& request, TimePoint deadline,
                 absl::AnyInvocable<void(std::vector<PeerAnswer>)> done) {
  auto gathering = std::make_shared<Gathering>();
  std::vector<std::pair<size_t, routing::NodeIndex>> to_ask;
  for (routing::NodeIndex node : context.directory.members()) {
    if (node == context.self_index) continue;
    PeerAnswer& answer = gathering->answers.emplace_back();
    answer.node = context.nodes.IdOf(node);
    answer.result.status = ReasonNotToAsk(context, node);
    if (answer.result.status.ok()) to_ask.emplace_back(gathering->answers.size() - 1, node);
  }
  gathering->missing = to_ask.size();
  gathering->done = std::move(done);
  if (to_ask.empty()) return gathering->done(std::move(gathering->answers));
  const TimePoint started = Now();
  for (const auto& [i, node] : to_ask) {
    net::CallOptions options{deadline, {}};
    options.metadata.Add(kMdCluster, context.directory.cluster_id(), net::Recurrence::kRepeated);
    net::Channel& channel =
        *context.pool.Get(loop.index, context.nodes.IdOf(node), *context.directory.AddressOf(node));
    channel.Unary(method, std::move(options), request,
                  [gathering, at = i, started](net::CallResult result) {
                    gathering->answers[at].result = std::move(result);
                    gathering->answers[at].took = Now() - started;
                    if (--gathering->missing == 0) gathering->done(std::move(gathering->answers));
                  });
  }
}

}  // namespace engram::server
