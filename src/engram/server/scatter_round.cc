#include "engram/server/scatter_round.h"

#include <fmt/format.h>

#include "engram/server/look_ups.h"
#include "engram/server/metadata_names.h"

namespace engram::server {
namespace {

using routing::ScatterPlan;

// Between this side's transport and the plan: nothing was heard of the node, whatever the cause.
absl::Status StatusOf(const net::CallResult& result) {
  if (result.delivery == net::Delivery::kAnswered) return result.status;
  if (CodeOf(result.status) == ErrorCode::kDeadlineExceeded) return result.status;
  return MakeError(ErrorCode::kConnectionFailed, std::string(result.status.message()));
}

}  // namespace

ScatterRound::ScatterRound(NodeContext& context, LoopState& loop, ScatterService& service,
                           Question question, const std::vector<ScatterPlan::Wanted>& spaces,
                           TimePoint deadline, const routing::ScatterOptions& options)
    : context_(context),
      loop_(loop),
      service_(service),
      question_(std::move(question)),
      deadline_(deadline),
      options_(options) {
  plan_.emplace(spaces, deadline, options_, context.nodes, loop.random);
  loop.live_calls.Add(*this);
}

void ScatterRound::Start() { Do(plan_->Start(Now())); }

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

void ScatterRound::Abandon() {
  auto self = shared_from_this();
  ended_ = true;
  timer_.reset();  // it holds this round
  plan_.reset();
}

void ScatterRound::Do(ScatterPlan::Step step) {
  if (plan_->finished()) return Finish();
  for (ScatterPlan::Send& send : step.sends) Send(std::move(send));
  LookUp(step.look_ups);
  timer_.emplace(*loop_.loop);
  timer_->RunAt(*step.wake, [self = shared_from_this()] {
    if (!self->ended_) self->Do(self->plan_->OnTimer(Now()));
  });
}

void ScatterRound::LookUp(const std::vector<ScatterPlan::AskAll>& in_doubt) {
  if (in_doubt.empty()) return;
  std::vector<LookUps::InDoubt> asked;
  std::vector<Space> spaces;
  for (const ScatterPlan::AskAll& ask : in_doubt) {
    asked.push_back({question_.name(ask.space), ask.known});
    spaces.push_back(ask.space);
  }
  loop_.look_ups->AskMany(
      asked, [self = shared_from_this(), spaces = std::move(spaces)](
                 size_t i, const routing::LookUp& look_up) { self->OnLookUp(spaces[i], look_up); });
}

// Many come at once; the plan gets them together, so that it asks each node once.
void ScatterRound::OnLookUp(Space space, const routing::LookUp& look_up) {
  if (ended_) return;
  looked_up_.emplace_back(space, look_up);
  if (looked_up_.size() > 1) return;
  loop_.loop->Post([self = shared_from_this()] {
    const auto answers = std::exchange(self->looked_up_, {});
    if (!self->ended_) self->Do(self->plan_->OnLookUps(answers, Now()));
  });
}

void ScatterRound::Send(ScatterPlan::Send send) {
  const uint32_t number = send.number;
  std::string body = question_.request(send.spaces);
  under_way_[number] = {std::move(send.spaces), {}};
  if (send.node != context_.self_index) return SendTo(send.node, number, std::move(body));
  service_.Serve(
      *loop_.loop, question_.step, deadline_, body,
      [self = shared_from_this(), number](ScatterService::Reply reply) {
        // Posted, because a refusal comes from within Serve().
        self->loop_.loop->Post([self, number, message = std::move(reply.message)]() mutable {
          self->OnReply(number, std::move(message));
        });
      });
}

void ScatterRound::SendTo(routing::NodeIndex peer, uint32_t number, std::string body) {
  const NodeId& to = context_.nodes.IdOf(peer);
  const std::string* address = context_.directory.AddressOf(peer);
  const bool cut_off = context_.reachability.Load().partitioned;
  if (cut_off || address == nullptr) {
    absl::Status unknown =
        cut_off ? MakeError(ErrorCode::kNoLocalData, "this node is cut off from the cluster")
                : MakeError(ErrorCode::kConnectionFailed,
                            fmt::format("this node has never heard of node {}", to.value()));
    return loop_.loop->Post(
        [self = shared_from_this(), number, unknown] { self->OnReply(number, unknown); });
  }
  net::CallOptions options{deadline_, {}};
  options.metadata.Add(kMdCluster, context_.directory.cluster_id(), net::Recurrence::kRepeated);
  net::Channel& channel = *context_.pool.Get(loop_.index, to, *address);
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
  const std::vector<Space> spaces = std::move(request->second.spaces);
  under_way_.erase(request);
  absl::StatusOr<std::vector<Answer>> answers =
      reply.ok() ? question_.take(spaces, *std::move(reply))
                 : absl::StatusOr<std::vector<Answer>>(reply.status());
  Do(answers.ok() ? plan_->OnAnswer(number, *answers, Now())
                  : plan_->OnFailure(number, answers.status(), Now()));
}

void ScatterRound::Finish() {
  ended_ = true;
  timer_.reset();
  CancelCalls();
  // Posted, so that who started the round has control back first.
  loop_.loop->Post([self = shared_from_this()] {
    if (!self->question_.done) return;
    Outcome outcome{{}, self->plan_->attempts(), self->plan_->stats()};
    for (Space space = 0; space < self->plan_->size(); ++space) {
      outcome.results.push_back(self->plan_->result(space));
    }
    std::exchange(self->question_.done, nullptr)(std::move(outcome));
  });
}

}  // namespace engram::server
