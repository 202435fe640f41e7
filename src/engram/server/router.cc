#include "engram/server/router.h"

#include <optional>
#include <utility>

#include "engram/server/remote_call.h"

namespace engram::server {

using routing::Decision;
using routing::Strategy;

Router::Router(NodeContext& context, LocalService& local) : context_(context), local_(local) {
  const NodeConfig& config = context.config;
  plan_options_.tries_per_node_max = config.tries_per_node;
  plan_options_.read_try_limit = config.read_try_limit;
  plan_options_.backoff = {config.retry_delay, config.retry_delay_max};
}

std::weak_ptr<Router::RemoteCall> Router::Route(LoopState& loop, RoutedRequest request, Done done) {
  std::optional<placement::Assignment> assignment =
      context_.table.FindAssignment(request.space.view());
  const NodeId& proposed = context_.ring.FirstHolder(request.space.view());
  Decision decision =
      Decide(request.op, assignment ? &*assignment : nullptr, proposed, context_.self);
  if (decision.strategy == Strategy::kLocal) {
    ServeHere(loop, std::move(request), !assignment.has_value(), std::move(done));
    return {};
  }
  auto call = std::make_shared<RemoteCall>(context_, loop, std::move(request), std::move(decision),
                                           plan_options_, std::move(done));
  call->Start();
  return call;
}

void Router::Cancel(const std::weak_ptr<RemoteCall>& call) {
  if (auto running = call.lock()) running->Cancel();
}

void Router::ServeHere(LoopState& loop, RoutedRequest request, bool create, Done done) {
  TimePoint started = Now();
  LocalRequest local{request.op,
                     std::move(request.space),
                     std::move(request.body),
                     request.identity,
                     create ? memory::CreateSpace::kYes : memory::CreateSpace::kNo,
                     request.deadline};
  local_.Serve(*loop.loop, std::move(local),
               [this, loop_index = loop.index, started,
                done = std::move(done)](absl::StatusOr<std::string> message) mutable {
                 const Duration took = Now() - started;
                 context_.metrics.Record(loop_index, {.strategy = Strategy::kLocal,
                                                      .outcome = CodeOf(message.status()),
                                                      .took = took});
                 RoutedReply reply;
                 reply.served_by = context_.self;
                 reply.attempts.push_back({context_.self, message.ok() ? "ok" : "failed", "local",
                                           message.status(), took});
                 reply.message = std::move(message);
                 done(std::move(reply));
               });
}

}  // namespace engram::server
