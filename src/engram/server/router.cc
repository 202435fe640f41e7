#include "engram/server/router.h"

#include <fmt/format.h>

#include <utility>

#include "engram/server/remote_call.h"

namespace engram::server {

using routing::Decision;
using routing::Strategy;

Router::Router(NodeContext& context, LocalService& local) : context_(context), local_(local) {
  const NodeConfig& config = context.config;
  plan_options_.tries_per_node_max = config.tries_per_node;
  plan_options_.read_try_limit = config.read_try_limit;
  plan_options_.write_try_limit = config.write_try_limit;
  plan_options_.hedged_reads = config.hedged_reads;
  plan_options_.backoff = {config.retry_delay, config.retry_delay_max};
}

std::weak_ptr<Router::RemoteCall> Router::Route(LoopState& loop, RoutedRequest request, Done done) {
  const routing::Knowledge knowledge = context_.KnowledgeOf(request.space.view());
  Decision decision =
      Decide(request.op, request.policy, knowledge, context_.view(), Now(), loop.random);
  const bool local_only = decision.strategy == Strategy::kLocalOnly;
  if (local_only && decision.candidates.empty()) {
    Refuse(loop, request, std::move(done));
    return {};
  }
  if (local_only || decision.strategy == Strategy::kLocal) {
    ServeHere(loop, std::move(request), decision.degraded, std::move(done));
    return {};
  }
  auto call = std::make_shared<RemoteCall>(context_, local_, loop, std::move(request), decision,
                                           knowledge.proposed, plan_options_, std::move(done));
  call->Start();
  return call;
}

void Router::Cancel(const std::weak_ptr<RemoteCall>& call) {
  if (auto running = call.lock()) running->Cancel();
}

void Router::ServeHere(LoopState& loop, RoutedRequest request, bool degraded, Done done) {
  TimePoint started = Now();
  LocalRequest local{request.op,       std::move(request.space),  std::move(request.body),
                     request.identity, memory::CreateSpace::kYes, request.deadline};
  if (degraded) local.confidence_factor = context_.reachability.Load().ConfidenceFactor();
  local_.Serve(*loop.loop, std::move(local),
               [this, loop_index = loop.index, started, degraded,
                done = std::move(done)](absl::StatusOr<std::string> message) mutable {
                 const Duration took = Now() - started;
                 context_.metrics.Record(
                     loop_index, {.strategy = degraded ? Strategy::kLocalOnly : Strategy::kLocal,
                                  .outcome = CodeOf(message.status()),
                                  .took = took});
                 RoutedReply reply;
                 reply.served_by = context_.self;
                 reply.degraded = degraded;
                 reply.attempts.push_back({context_.self.view(), message.ok() ? "ok" : "failed",
                                           "local", message.status(), took});
                 reply.message = std::move(message);
                 done(std::move(reply));
               });
}

absl::Status CutOffError(const NodeContext& context, const SpaceId& space) {
  ErrorDetail detail{ErrorCode::kNoLocalData, "", space.value(), context.self.value(),
                     routing::kPartitionPause};
  if (context.directory.cluster_id().empty()) {
    return MakeError(detail, "this node has not found its cluster yet: it asks its seeds");
  }
  const routing::Reachability reach = context.reachability.Load();
  return MakeError(detail,
                   fmt::format("this node reaches {} of {} nodes and does not hold space '{}'",
                               reach.reachable, reach.total, space.value()));
}

void Router::Refuse(const LoopState& loop, const RoutedRequest& request, Done done) const {
  context_.metrics.Record(loop.index,
                          {.strategy = Strategy::kLocalOnly, .outcome = ErrorCode::kNoLocalData});
  RoutedReply reply;
  reply.degraded = true;
  reply.message = CutOffError(context_, request.space);
  done(std::move(reply));
}

}  // namespace engram::server
