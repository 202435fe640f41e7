#include "engram/server/remote_call.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <span>
#include <utility>

#include "engram/routing/route_names.h"
#include "engram/server/convert.h"
#include "engram/server/look_ups.h"
#include "engram/server/ownership.h"

namespace engram::server {

using routing::CallPlan;

namespace {

routing::Delivery DeliveryOf(net::Delivery delivery) {
  switch (delivery) {
    case net::Delivery::kNotSent:
      return routing::Delivery::kNotSent;
    case net::Delivery::kUndetermined:
      return routing::Delivery::kUndetermined;
    case net::Delivery::kAnswered:
      break;
  }
  return routing::Delivery::kAnswered;
}

}  // namespace

Router::RemoteCall::RemoteCall(NodeContext& context, LocalService& local, LoopState& loop,
                               RoutedRequest request, const routing::Decision& decision,
                               routing::NodeIndex proposed, const routing::CallPlanOptions& options,
                               Done done)
    : context_(context),
      local_(local),
      loop_(loop),
      request_(std::move(request)),
      strategy_(decision.strategy),
      done_(std::move(done)) {
  plan_.emplace(
      routing::CallRequest{request_.op, request_.space.view(), request_.policy, request_.deadline},
      decision, proposed, context.nodes, options, loop.random);
  loop.live_calls.Add(*this);
}

void Router::RemoteCall::Start() { Do(plan_->Start(started_)); }

void Router::RemoteCall::Cancel() {
  if (finished_) return;
  Finish(MakeError(ErrorCode::kCancelled, "the client cancelled the request"));
}

void Router::RemoteCall::Do(CallPlan::Action action) {
  if (const auto* send = std::get_if<CallPlan::Send>(&action)) return Send(*send);
  if (const auto* ask = std::get_if<CallPlan::AskAll>(&action)) return AskAll(*ask);
  if (const auto* wait = std::get_if<CallPlan::Wait>(&action)) return WaitUntil(wait->until);
  if (const auto* finish = std::get_if<CallPlan::Finish>(&action)) return Finish(finish->status);
  const TimePoint until = std::get<CallPlan::Await>(action).until;
  if (until != kNever) WaitUntil(until);
}

void Router::RemoteCall::Send(const CallPlan::Send& send) {
  if (send.node == context_.self_index) return ServeHere(send);
  // It may have been cut off since the request began.
  if (context_.reachability.Load().partitioned) {
    const absl::Status cut_off = CutOffError(context_, request_.space);
    return OnOutcome(send.attempt, {cut_off, routing::Delivery::kNotSent, std::nullopt});
  }
  const routing::NodeState& node = context_.nodes.Of(send.node);
  if (context_.directory.AddressOf(send.node) == nullptr) {
    absl::Status unknown =
        MakeError(ErrorCode::kConnectionFailed,
                  fmt::format("this node has never heard of node {}", node.id.value()));
    return OnOutcome(send.attempt, {unknown, routing::Delivery::kNotSent, std::nullopt});
  }
  std::string body = Body();
  auto handle = loop_.peer_calls->Pass(send, request_, std::move(body), ResultOf(send.attempt));
  under_way_.push_back({send, std::move(handle)});
  CheckLater(send);
}

PeerCalls::Done Router::RemoteCall::ResultOf(int attempt) {
  return [self = shared_from_this(), attempt](PassedResult result) {
    self->OnResult(attempt, std::move(result));
  };
}

// The request's bytes are with the try that is under way; a second one gets a copy.
std::string Router::RemoteCall::Body() {
  for (const UnderWay& u : under_way_) {
    if (auto copy = u.handle.CopyRequest()) return *std::move(copy);
  }
  return std::move(request_.body);
}

// Meanwhile the space has come here, or this node is to create it.
void Router::RemoteCall::ServeHere(const CallPlan::Send& send) {
  request_.body = Body();
  absl::Status refusal =
      RefusalOf(context_, request_.op, request_.policy, request_.space, send.create);
  if (!refusal.ok()) {
    std::optional<routing::Route> redirect;
    if (auto known = AttachedAssignment(refusal)) redirect = ToRoute(*known, context_.nodes);
    return OnOutcome(send.attempt, {refusal, routing::Delivery::kAnswered, redirect});
  }
  // A copy: the node may be too busy, and the request is then sent again.
  LocalRequest local = ToLocal(request_);
  local.body = request_.body;
  local.deadline = send.deadline;
  ServeHeld(context_, local_, loop_, std::move(local),
            [self = shared_from_this(), attempt = send.attempt](HeldAnswer answer) {
              if (!self->finished_) self->OnServedHere(attempt, std::move(answer));
            });
}

void Router::RemoteCall::OnServedHere(int attempt, HeldAnswer answer) {
  const absl::Status status = answer.message.status();
  last_ = {};
  if (answer.message.ok()) last_.message = *std::move(answer.message);
  last_.served_by = context_.self;
  last_.degraded = answer.degraded;
  last_.staleness_ms = answer.staleness_ms;
  last_.seen = std::move(answer.seen);
  std::optional<routing::Route> redirect;
  if (auto known = AttachedAssignment(status)) redirect = ToRoute(*known, context_.nodes);
  OnOutcome(attempt, {status, routing::Delivery::kAnswered, redirect});
}

void Router::RemoteCall::CheckLater(const CallPlan::Send& send) {
  if (send.check_at >= send.deadline) return;
  if (loop_.slow_calls.Wait(*this, send.check_at)) return;
  timer_.emplace(*loop_.loop);
  timer_->RunAt(send.check_at, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->OnSlow();
  });
}

void Router::RemoteCall::OnSlow() {
  auto self = shared_from_this();
  if (!finished_ && !under_way_.empty()) Do(plan_->OnTimer(Now()));
}

void Router::RemoteCall::Abandon() {
  auto self = shared_from_this();
  finished_ = true;
  StopWaiting();
  timer_.reset();  // it holds this call
  plan_.reset();
  done_ = nullptr;
}

void Router::RemoteCall::AskAll(const CallPlan::AskAll& ask) {
  if (context_.reachability.Load().partitioned) {
    return Do(plan_->OnCutOff(CutOffError(context_, request_.space)));
  }
  if (under_way_.empty()) WaitUntil(ask.until);
  loop_.look_ups->Ask(request_.space, {ask.known, ask.age_max},
                      [self = shared_from_this()](const routing::LookUp& look_up) {
                        if (self->finished_) return;
                        self->timer_.reset();
                        self->Do(self->plan_->OnLookUp(look_up, Now()));
                      });
}

void Router::RemoteCall::WaitUntil(TimePoint until) {
  timer_.emplace(*loop_.loop);
  timer_->RunAt(until, [self = shared_from_this()] {
    if (!self->finished_) self->Do(self->plan_->OnTimer(Now()));
  });
}

void Router::RemoteCall::OnResult(int attempt, PassedResult result) {
  if (finished_) {
    const routing::Outcome late{result.status, DeliveryOf(result.delivery), std::nullopt};
    if (plan_.has_value()) plan_->OnLateOutcome(attempt, late, Now());
    return;
  }
  auto ended = std::find_if(under_way_.begin(), under_way_.end(),
                            [attempt](const UnderWay& u) { return u.send.attempt == attempt; });
  if (result.too_large) {
    ended->handle = loop_.peer_calls->PassAlone(ended->send, request_, std::move(result.request),
                                                ResultOf(attempt));
    return;
  }
  under_way_.erase(ended);
  if (under_way_.empty()) StopWaiting();
  request_.body = std::move(result.request);
  routing::Outcome outcome{result.status, DeliveryOf(result.delivery), std::nullopt};
  if (auto learned = Learn(result)) outcome.redirect = ToRoute(*learned, context_.nodes);
  last_ = std::move(result);
  OnOutcome(attempt, outcome);
}

void Router::RemoteCall::OnOutcome(int attempt, const routing::Outcome& outcome) {
  Do(plan_->OnOutcome(attempt, outcome, Now()));
}

void Router::RemoteCall::CancelTries() {
  StopWaiting();
  timer_.reset();
  plan_->LetGo(Now());
  for (UnderWay& u : std::exchange(under_way_, {})) {
    if (!plan_->IsProbe(u.send.attempt)) u.handle.Cancel();
  }
}

void Router::RemoteCall::Finish(const absl::Status& status) {
  finished_ = true;
  CancelTries();
  Account(status);
  RoutedReply reply;
  if (status.ok()) {
    reply.message = std::move(last_.message);
  } else {
    absl::Status explained = status;
    AttachAttempts(plan_->attempts(), explained);
    reply.message = explained;
  }
  reply.served_by = std::move(last_.served_by);
  reply.degraded = last_.degraded;
  reply.staleness_ms = last_.staleness_ms;
  reply.seen = std::move(last_.seen);
  reply.stats = plan_->stats();
  reply.attempts = plan_->TakeAttempts();
  std::exchange(done_, nullptr)(std::move(reply));
}

// For those who run the node.
void Router::RemoteCall::Account(const absl::Status& status) {
  const TimePoint now = Now();
  const routing::CallStats& stats = plan_->stats();
  context_.metrics.Record(loop_.index, {.strategy = strategy_,
                                        .outcome = CodeOf(status),
                                        .took = now - started_,
                                        .hops = stats.hops,
                                        .redirects = stats.redirects,
                                        .lookups = stats.look_ups,
                                        .fallbacks = stats.fallbacks,
                                        .hedges = stats.hedges,
                                        .breaker_refusals = stats.breaker_refusals,
                                        .budget_refusals = stats.budget_refusals,
                                        .stale = learned_ || stats.redirects > 0,
                                        .retries = stats.retried_for});
  loop_.log.Attempts(request_.space, plan_->attempts(), now);
  // What goes well tells nothing new of a breaker that is closed.
  if (!status.ok() || plan_->attempts().size() > 1 || loop_.log.sees_open_breakers()) {
    LogBreakers(now);
  }
}

void Router::RemoteCall::LogBreakers(TimePoint now) {
  const bool write = routing::IsWrite(request_.op);
  for (const routing::AttemptRecord& attempt : plan_->attempts()) {
    const auto index = context_.nodes.Find(attempt.node);
    if (!index.has_value()) continue;
    const routing::NodeState& node = context_.nodes.Of(*index);
    loop_.log.Breaker(node.id, write ? "writes" : "reads", write ? node.writes : node.reads, now);
  }
}

// Fresh routing rides on the success (trailer) and on the refusal (error detail); the table keeps
// only what is newer.
std::optional<placement::Assignment> Router::RemoteCall::Learn(const PassedResult& result) {
  std::optional<placement::Assignment> learned = AttachedAssignment(result.status);
  if (result.assignment.has_value()) learned = result.assignment;
  if (!learned.has_value() || learned->space != request_.space) return std::nullopt;
  if (context_.Learn(*learned)) {
    learned_ = true;
    spdlog::debug("learned that space '{}' is with node {}", learned->space.value(),
                  learned->primary.value());
  }
  return learned;
}

}  // namespace engram::server
