#include "engram/server/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engram/server/remote_call.h"

namespace engram::server {

using routing::Decision;
using routing::Strategy;

LocalRequest ToLocal(const RoutedRequest& request) {
  LocalRequest local{
      request.op, request.space, {}, request.identity, memory::CreateSpace::kYes, request.deadline};
  local.ack = request.ack;
  local.session = request.session;
  return local;
}

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
  LocalRequest local = ToLocal(request);
  if (degraded) local.branch = memory::Branch::kYes;
  if (degraded) local.confidence_factor = context_.reachability.Load().ConfidenceFactor();
  // Kept in case that another holder has to serve it.
  std::shared_ptr<RoutedRequest> kept;
  const bool may_go = routing::IsWrite(request.op) || request.session.has_value();
  if (context_.replication != nullptr && !degraded && may_go) {
    kept = std::make_shared<RoutedRequest>(request);
  }
  local.body = std::move(request.body);
  ServeHeld(context_, local_, loop, std::move(local),
            [this, &loop, started = Now(), degraded, kept,
             done = std::move(done)](const HeldAnswer& answer) mutable {
              if (kept != nullptr && CodeOf(answer.message.status()) == ErrorCode::kWrongNode) {
                return GoElsewhere(loop, std::move(*kept), std::move(done));
              }
              OnServed(loop, answer, degraded, started, std::move(done));
            });
}

void Router::OnServed(LoopState& loop, const HeldAnswer& answer, bool degraded, TimePoint started,
                      Done done) const {
  const Duration took = Now() - started;
  const absl::Status& status = answer.message.status();
  context_.metrics.Record(loop.index,
                          {.strategy = degraded ? Strategy::kLocalOnly : Strategy::kLocal,
                           .outcome = CodeOf(status),
                           .took = took});
  RoutedReply reply;
  reply.served_by = context_.self;
  reply.degraded = degraded || answer.degraded;
  reply.staleness_ms = answer.staleness_ms;
  reply.seen = answer.seen;
  reply.attempts.push_back(
      {context_.self.view(), status.ok() ? "ok" : "failed", "local", status, took});
  reply.message = answer.message;
  done(std::move(reply));
}

void Router::GoElsewhere(LoopState& loop, RoutedRequest request, Done done) {
  const routing::Knowledge knowledge = context_.KnowledgeOf(request.space.view());
  Decision decision;
  decision.strategy =
      routing::IsWrite(request.op) ? Strategy::kPrimary : Strategy::kPrimaryWithFallback;
  if (const routing::Route* route = Authority(knowledge, context_.view())) {
    decision.version = route->version;
    decision.replicated = route->replica_count > 0;
    decision.candidates =
        OrderHolders(request.op, request.policy, *route, context_.nodes, Now(), loop.random);
    routing::NodeList& others = decision.candidates;
    others.erase(std::remove(others.begin(), others.end(), context_.self_index), others.end());
  }
  std::make_shared<RemoteCall>(context_, local_, loop, std::move(request), decision,
                               knowledge.proposed, plan_options_, std::move(done))
      ->Start();
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
