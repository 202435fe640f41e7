#include "engram/server/scatter_round.h"

#include <fmt/format.h>

#include "engram/server/metadata_names.h"

namespace engram::server {
namespace {

using routing::ScatterPlan;

std::string_view WhyOf(ScatterStep step) {
  switch (step) {
    case ScatterStep::kSurvey:
      return "words counted";
    case ScatterStep::kFind:
      return "searched";
    case ScatterStep::kRead:
      return "read";
  }
  return "";
}

// Between this side's transport and the plan: nothing was heard of the node, whatever the cause.
absl::Status StatusOf(const net::CallResult& result) {
  if (result.delivery == net::Delivery::kAnswered) return result.status;
  if (CodeOf(result.status) == ErrorCode::kDeadlineExceeded) return result.status;
  return MakeError(ErrorCode::kConnectionFailed, std::string(result.status.message()));
}

}  // namespace

std::vector<routing::NodeIndex> LiveNodes(NodeContext& context) {
  std::vector<routing::NodeIndex> live;
  for (const PeerConfig& peer : context.config.peers) {
    const routing::NodeIndex node = context.nodes.Intern(peer.id);
    const routing::Liveness liveness = context.nodes.Of(node).liveness.load();
    const bool gone = liveness == routing::Liveness::kDead || liveness == routing::Liveness::kLeft;
    if (!gone) live.push_back(node);
  }
  return live;
}

ScatterRound::ScatterRound(NodeContext& context, LoopState& loop, ScatterService& service,
                           Question question, const std::vector<ScatterPlan::Holders>& spaces,
                           TimePoint deadline, const routing::ScatterOptions& options)
    : context_(context),
      loop_(loop),
      service_(service),
      question_(std::move(question)),
      deadline_(deadline),
      plan_(spaces, LiveNodes(context), deadline, options, context.nodes, loop.random) {}

void ScatterRound::Start() { Do(plan_.Start(Now())); }

void ScatterRound::Cancel() {
  ended_ = true;
  timer_.reset();
  CancelCalls();
  question_.done = nullptr;
}

void ScatterRound::CancelCalls() {
  for (auto& [number, request] : under_way_) request.call.Cancel();
  under_way_.clear();
}

void ScatterRound::Do(ScatterPlan::Step step) {
  if (plan_.finished()) return Finish();
  for (ScatterPlan::Send& send : step.sends) Send(std::move(send));
  timer_.emplace(*loop_.loop);
  timer_->RunAt(*step.wake, [self = shared_from_this()] {
    if (!self->ended_) self->Do(self->plan_.OnTimer(Now()));
  });
}

void ScatterRound::Send(ScatterPlan::Send send) {
  const uint32_t number = send.number;
  const NodeId node = context_.nodes.IdOf(send.node);
  std::string body = question_.request(send.spaces);
  under_way_[number] = {std::move(send), Now(), {}};
  if (node != context_.self) return SendTo(node, number, std::move(body));
  service_.Serve(*loop_.loop, question_.step, std::move(body),
                 [self = shared_from_this(), number](absl::StatusOr<std::string> reply) {
                   // Posted, because a refusal comes from within Serve().
                   self->loop_.loop->Post([self, number, reply = std::move(reply)]() mutable {
                     self->OnReply(number, std::move(reply));
                   });
                 });
}

void ScatterRound::SendTo(const NodeId& node, uint32_t number, std::string body) {
  const std::string* address = context_.AddressOf(node);
  if (address == nullptr) {
    absl::Status unknown =
        MakeError(ErrorCode::kConnectionFailed,
                  fmt::format("node {} is not in this node's list of peers", node.value()));
    return loop_.loop->Post(
        [self = shared_from_this(), number, unknown] { self->OnReply(number, unknown); });
  }
  net::CallOptions options{deadline_, {}};
  options.metadata.Add(kMdCluster, context_.config.cluster, net::Recurrence::kRepeated);
  net::Channel& channel = *context_.pool.Get(loop_.index, node, *address);
  under_way_[number].call =
      channel.Unary(PeerMethod(question_.step), std::move(options), std::move(body),
                    [self = shared_from_this(), number](net::CallResult result) {
                      absl::Status status = StatusOf(result);
                      if (!status.ok()) return self->OnReply(number, status);
                      self->OnReply(number, std::move(result.message));
                    });
}

void ScatterRound::OnReply(uint32_t number, absl::StatusOr<std::string> reply) {
  auto request = under_way_.find(number);
  if (ended_ || request == under_way_.end()) return;
  const UnderWay sent = std::move(request->second);
  under_way_.erase(request);
  absl::StatusOr<std::vector<Answer>> answers =
      reply.ok() ? question_.take(sent.send.spaces, *std::move(reply))
                 : absl::StatusOr<std::vector<Answer>>(reply.status());
  Record(sent, answers.status());
  Do(answers.ok() ? plan_.OnAnswer(number, *answers, Now())
                  : plan_.OnFailure(number, answers.status(), Now()));
}

void ScatterRound::Record(const UnderWay& request, const absl::Status& status) {
  attempts_.push_back({context_.nodes.IdOf(request.send.node).view(), status.ok() ? "ok" : "failed",
                       WhyOf(question_.step), status, Now() - request.started});
}

void ScatterRound::Finish() {
  ended_ = true;
  timer_.reset();
  const absl::Status silent =
      MakeError(ErrorCode::kDeadlineExceeded, "no answer within the time limit");
  for (auto& [number, request] : under_way_) Record(request, silent);
  CancelCalls();
  // Posted, so that who started the round has control back first.
  loop_.loop->Post([self = shared_from_this()] {
    if (self->question_.done) {
      std::exchange(self->question_.done, nullptr)(self->plan_.results(),
                                                   std::move(self->attempts_));
    }
  });
}

}  // namespace engram::server
