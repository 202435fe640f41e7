#include "engram/server/remote_call.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/cord.h"
#include "engram/memory/utf8.h"
#include "engram/net/grpc_status.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"
#include "engram/server/routed_sample.h"

namespace engram::server {

using routing::CallPlan;

namespace {

// What an error carries must fit into a header: the last tries, their reasons cut.
constexpr size_t kAttemptsInErrorMax = 8;
constexpr size_t kReasonInErrorMax = 160;

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

absl::Cord AttemptsForError(std::span<const routing::AttemptRecord> attempts) {
  v1::RouteTrace trace = ToProto(attempts.last(std::min(attempts.size(), kAttemptsInErrorMax)));
  for (v1::Attempt& attempt : *trace.mutable_attempts()) {
    attempt.set_reason(std::string(memory::CutAtCharacter(attempt.reason(), kReasonInErrorMax)));
  }
  return absl::Cord(trace.SerializeAsString());
}

}  // namespace

Router::RemoteCall::RemoteCall(NodeContext& context, LoopState& loop, RoutedRequest request,
                               routing::Decision decision, const routing::CallPlanOptions& options,
                               Done done)
    : context_(context),
      loop_(loop),
      request_(std::move(request)),
      strategy_(decision.strategy),
      plan_(request_.op, request_.space, std::move(decision), request_.deadline, options,
            loop.random),
      done_(std::move(done)) {}

void Router::RemoteCall::Start() { Do(plan_.Start(started_)); }

void Router::RemoteCall::Cancel() {
  if (finished_) return;
  sent_.Cancel();
  timer_.reset();
  Finish(MakeError(ErrorCode::kCancelled, "the client cancelled the request"));
}

void Router::RemoteCall::Do(CallPlan::Action action) {
  if (const auto* send = std::get_if<CallPlan::Send>(&action)) return Send(*send);
  if (const auto* wait = std::get_if<CallPlan::Wait>(&action)) return WaitUntil(wait->until);
  Finish(std::get<CallPlan::Finish>(action).status);
}

void Router::RemoteCall::Send(const CallPlan::Send& send) {
  const std::string* address = context_.AddressOf(send.node);
  if (address == nullptr) {
    absl::Status unknown =
        MakeError(ErrorCode::kConnectionFailed,
                  fmt::format("node {} is not in this node's list of peers", send.node.value()));
    return Do(plan_.OnOutcome({unknown, routing::Delivery::kNotSent, std::nullopt}, Now()));
  }
  net::Channel& channel = *context_.pool.Get(loop_.index, send.node, *address);
  sent_ = channel.Unary(
      PeerMethod(request_.op), OptionsFor(send), std::move(request_.body),
      [self = shared_from_this()](net::CallResult result) { self->OnResult(std::move(result)); });
}

void Router::RemoteCall::WaitUntil(TimePoint until) {
  timer_.emplace(*loop_.loop);
  timer_->RunAt(until, [self = shared_from_this()] {
    if (!self->finished_) self->Do(self->plan_.OnTimer(Now()));
  });
}

void Router::RemoteCall::OnResult(net::CallResult result) {
  if (finished_) return;
  request_.body = std::move(result.request);
  MergeAssignment(result);
  routing::Outcome outcome{result.status, DeliveryOf(result.delivery),
                           AttachedAssignment(result.status)};
  last_ = std::move(result);
  Do(plan_.OnOutcome(outcome, Now()));
}

void Router::RemoteCall::Finish(const absl::Status& status) {
  finished_ = true;
  Account(status);
  RoutedReply reply;
  if (status.ok()) {
    reply.message = std::move(last_.message);
  } else {
    absl::Status explained = status;
    explained.SetPayload(net::kAttemptsPayload, AttemptsForError(plan_.attempts()));
    reply.message = explained;
  }
  if (auto served_by = last_.trailing.Find(kMdServedBy)) reply.served_by = NodeId(*served_by);
  reply.degraded = last_.trailing.Find(kMdDegraded).has_value();
  reply.attempts = plan_.TakeAttempts();
  std::exchange(done_, nullptr)(std::move(reply));
}

// For those who run the node.
void Router::RemoteCall::Account(const absl::Status& status) {
  const TimePoint now = Now();
  RoutedSample sample{
      .strategy = strategy_, .outcome = CodeOf(status), .took = now - started_, .stale = learned_};
  RetryReasons reasons;
  CountAttempts(plan_.attempts(), reasons, sample);
  context_.metrics.Record(loop_.index, sample);
  loop_.log.Attempts(request_.space, plan_.attempts(), now);
  // What goes well tells nothing new of a breaker that is closed.
  if (!status.ok() || plan_.attempts().size() > 1 || loop_.log.sees_open_breakers()) {
    LogBreakers(now);
  }
}

void Router::RemoteCall::LogBreakers(TimePoint now) {
  const bool write = routing::IsWrite(request_.op);
  for (const routing::AttemptRecord& attempt : plan_.attempts()) {
    const auto index = context_.nodes.Find(attempt.node.view());
    if (!index.has_value()) continue;
    const routing::NodeState& node = context_.nodes.Of(*index);
    loop_.log.Breaker(node.id, write ? "writes" : "reads", write ? node.writes : node.reads, now);
  }
}

net::CallOptions Router::RemoteCall::OptionsFor(const CallPlan::Send& send) const {
  net::CallOptions options;
  options.deadline = send.deadline;
  options.metadata.Add(kMdCluster, context_.config.cluster, net::Recurrence::kRepeated);
  options.metadata.Add(kMdSpace, request_.space.view(), RecurrenceOfSpace());
  options.metadata.Add(kMdHop, fmt::format_int(send.hop).str(), net::Recurrence::kRepeated);
  if (send.version != Version{}) {
    options.metadata.Add(kMdRouteVersion, EncodeVersion(send.version));
  }
  if (routing::IsWrite(request_.op)) {
    options.metadata.Add(kMdRequestId, request_.identity.request_id.ToString());
    if (request_.identity.line > 0) {
      options.metadata.Add(kMdLine, fmt::format_int(request_.identity.line).str());
    }
  }
  return options;
}

// Requests for one space come in runs, or for many spaces in turn, which would only drive each
// other and the method names out of the peer's table.
net::Recurrence Router::RemoteCall::RecurrenceOfSpace() const {
  if (loop_.forwarded == request_.space) return net::Recurrence::kRepeated;
  loop_.forwarded = request_.space;
  return net::Recurrence::kOnce;
}

// Fresh routing rides on the success (trailer) and on the refusal (error detail); the table keeps
// only what is newer.
void Router::RemoteCall::MergeAssignment(const net::CallResult& result) {
  std::optional<placement::Assignment> learned = AttachedAssignment(result.status);
  if (auto bytes = result.trailing.Find(kMdAssignment)) {
    v1::Assignment proto;
    if (proto.ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) {
      learned = FromProto(proto);
    }
  }
  if (!learned.has_value() || learned->space != request_.space) return;
  if (context_.table.Apply(std::span(&*learned, 1)) > 0) {
    learned_ = true;
    spdlog::debug("learned that space '{}' is with node {}", learned->space.value(),
                  learned->primary.value());
  }
}

}  // namespace engram::server
