#include "simulation/sim_call.h"

#include <fmt/format.h>

#include "engram/routing/route_names.h"
#include "simulation/sim_look_up.h"

namespace engram::simulation {
namespace {

routing::CallRequest PlanRequest(const Request& request) {
  return {request.op, request.space, {}, request.deadline};
}

}  // namespace

SimCall::SimCall(SimNode& node, const Request& request, const routing::Decision& decision,
                 routing::NodeIndex proposed, SimNode::Done done)
    : node_(node),
      request_(request),
      plan_(PlanRequest(request_), decision, proposed, node.nodes_, node.options_, node.random_),
      done_(std::move(done)) {}

void SimCall::Start() { Do(plan_.Start(node_.scheduler_.now())); }

void SimCall::Do(const CallPlan::Action& action) {
  if (const auto* send = std::get_if<CallPlan::Send>(&action)) return Send(*send);
  if (const auto* ask = std::get_if<CallPlan::AskAll>(&action)) return AskAll(*ask);
  if (const auto* finish = std::get_if<CallPlan::Finish>(&action)) return Finish(finish->status);
  if (const auto* wait = std::get_if<CallPlan::Wait>(&action)) return WakeAt(wait->until);
  const TimePoint until = std::get<CallPlan::Await>(action).until;
  if (until != kNever) WakeAt(until);
}

void SimCall::WakeAt(TimePoint time) {
  node_.scheduler_.At(time, [self = shared_from_this(), wait = ++wait_] {
    if (self->finished_ || wait != self->wait_) return;
    self->Do(self->plan_.OnTimer(self->node_.scheduler_.now()));
  });
}

void SimCall::Send(const CallPlan::Send& send) {
  const size_t to = static_cast<size_t>(send.node);
  const int attempt = send.attempt;
  under_way_.insert(attempt);
  asked_[attempt] = to;
  node_.scheduler_.Trace(fmt::format("{}>{} {} {}", node_.index(), to, request_.space, send.hop));
  const Version version = node_.nodes_.ToVersion(send.version);
  auto self = shared_from_this();
  if (to == node_.index()) {
    return OnAnswer(attempt, node_.Serve(request_, version, send.create));
  }
  ++node_.sent_;
  const bool sent =
      node_.network_.Send(node_.index(), to, [self, attempt, to, version, create = send.create] {
        PeerAnswer answer = self->node_.cluster_[to]->Serve(self->request_, version, create);
        self->node_.network_.Send(to, self->node_.index(),
                                  [self, attempt, answer] { self->OnAnswer(attempt, answer); });
      });
  if (!sent) {
    return End(attempt, {MakeError(ErrorCode::kConnectionFailed, "refused"),
                         routing::Delivery::kNotSent, std::nullopt});
  }
  node_.scheduler_.At(send.deadline, [self, attempt] {
    self->End(attempt, {MakeError(ErrorCode::kDeadlineExceeded, "no answer"),
                        routing::Delivery::kUndetermined, std::nullopt});
  });
  CheckLater(send);
}

void SimCall::CheckLater(const CallPlan::Send& send) {
  if (send.check_at >= send.deadline) return;
  node_.scheduler_.At(send.check_at, [self = shared_from_this(), attempt = send.attempt] {
    if (self->finished_ || !self->under_way_.contains(attempt)) return;
    self->Do(self->plan_.OnTimer(self->node_.scheduler_.now()));
  });
}

void SimCall::OnAnswer(int attempt, const PeerAnswer& answer) {
  if (!under_way_.contains(attempt)) return;  // it came twice, or too late
  std::optional<routing::Route> redirect;
  if (answer.assignment.has_value()) {
    node_.table_.Apply(std::span(&*answer.assignment, 1));
    if (!answer.status.ok()) redirect = ToRoute(*answer.assignment, node_.nodes_);
  }
  served_by_ = asked_[attempt];
  End(attempt, {answer.status, routing::Delivery::kAnswered, redirect});
}

void SimCall::End(int attempt, const routing::Outcome& outcome) {
  if (under_way_.erase(attempt) == 0) return;
  const TimePoint now = node_.scheduler_.now();
  if (finished_) return plan_.OnLateOutcome(attempt, outcome, now);
  Do(plan_.OnOutcome(attempt, outcome, now));
}

void SimCall::AskAll(const CallPlan::AskAll& ask) {
  auto self = shared_from_this();
  if (under_way_.empty()) WakeAt(ask.until);
  const bool first =
      node_.look_ups_.Join(request_.space, {ask.known, ask.age_max}, node_.scheduler_.now(),
                           [self](const routing::LookUp& answer) {
                             if (self->finished_) return;
                             ++self->wait_;
                             self->Do(self->plan_.OnLookUp(answer, self->node_.scheduler_.now()));
                           });
  if (first) std::make_shared<SimLookUp>(node_, request_.space)->Start();
}

void SimCall::Finish(const absl::Status& status) {
  finished_ = true;
  plan_.LetGo(node_.scheduler_.now());
  const std::string by = status.ok() ? node_.ids_[served_by_].value() : "";
  node_.scheduler_.Trace(fmt::format("{} ends {}", node_.index(), status.ok()));
  done_({status, by, false, plan_.stats(), node_.scheduler_.now()});
}

}  // namespace engram::simulation
