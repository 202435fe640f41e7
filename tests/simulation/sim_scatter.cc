#include "simulation/sim_scatter.h"

#include <fmt/format.h>

#include "engram/routing/route_names.h"
#include "simulation/sim_look_up.h"

namespace engram::simulation {
namespace {

routing::ScatterOptions OptionsOf(routing::NodeIndex self) {
  routing::ScatterOptions options;
  options.self = self;
  return options;
}

}  // namespace

SimScatter::SimScatter(SimNode& node, std::vector<std::string> spaces,
                       const routing::ReadPolicy& policy, TimePoint deadline, Done done)
    : node_(node),
      names_(std::move(spaces)),
      policy_(policy),
      deadline_(deadline),
      done_(std::move(done)),
      options_(OptionsOf(node.self_)),
      plan_(WantedFor(policy), deadline, options_, node.nodes_, node.random_) {}

std::vector<routing::ScatterPlan::Wanted> SimScatter::WantedFor(const routing::ReadPolicy& policy) {
  std::vector<ScatterPlan::Wanted> wanted;
  for (const std::string& name : names_) {
    wanted.push_back({routing::DecideOneOfMany(policy, node_.KnowledgeOf(name), node_.view(), now(),
                                               node_.random_),
                      policy});
  }
  return wanted;
}

void SimScatter::Start() { Do(plan_.Start(now())); }

void SimScatter::Do(const ScatterPlan::Step& step) {
  if (finished_) return;
  if (plan_.finished()) return Finish();
  for (const ScatterPlan::Send& send : step.sends) Send(send);
  LookUp(step.look_ups);
  node_.scheduler_.At(step.wake.value(), [self = shared_from_this()] {
    if (!self->finished_) self->Do(self->plan_.OnTimer(self->now()));
  });
}

void SimScatter::Send(const ScatterPlan::Send& send) {
  const auto to = static_cast<size_t>(send.node);
  under_way_.insert(send.number);
  node_.scheduler_.Trace(fmt::format("{}>{} {}", node_.index(), to, send.spaces.size()));
  std::vector<Version> routed_by;
  for (ScatterPlan::Space space : send.spaces) {
    routed_by.push_back(node_.nodes_.ToVersion(plan_.version(space)));
  }
  auto self = shared_from_this();
  if (to == node_.index()) {
    return node_.scheduler_.After(std::chrono::microseconds(10), [self, send, routed_by] {
      self->OnAnswer(send, self->Serve(self->node_, send, routed_by));
    });
  }
  ++node_.sent_;
  const bool sent = node_.network_.Send(node_.index(), to, [self, send, to, routed_by] {
    const Said said = self->Serve(*self->node_.cluster_[to], send, routed_by);
    self->node_.network_.Send(to, self->node_.index(),
                              [self, send, said] { self->OnAnswer(send, said); });
  });
  if (sent) return;
  node_.scheduler_.After(std::chrono::microseconds(10), [self, number = send.number] {
    if (self->finished_ || self->under_way_.erase(number) == 0) return;
    self->Do(self->plan_.OnFailure(number, MakeError(ErrorCode::kConnectionFailed, "refused"),
                                   self->now()));
  });
}

SimScatter::Said SimScatter::Serve(SimNode& at, const ScatterPlan::Send& send,
                                   const std::vector<Version>& routed_by) {
  Said said;
  for (size_t i = 0; i < send.spaces.size(); ++i) {
    const Request request{routing::Operation::kRecall, names_[send.spaces[i]], 0, deadline_};
    said.push_back(at.Serve(request, routed_by[i], false, policy_));
    // Ownership before overload, as in a real node.
    if (said.back().status.ok() && at.shedding()) {
      ErrorDetail detail;
      detail.code = ErrorCode::kOverloaded;
      detail.retry_after = std::chrono::milliseconds(100);
      said.back().status = MakeError(detail, "busy");
    }
  }
  return said;
}

void SimScatter::OnAnswer(const ScatterPlan::Send& send, const Said& said) {
  if (finished_ || under_way_.erase(send.number) == 0) return;  // it came twice, or too late
  Answers answers;
  for (const PeerAnswer& of_space : said) {
    ScatterPlan::Answer& answer = answers.emplace_back();
    answer.error = of_space.status;
    if (!of_space.assignment.has_value()) continue;
    node_.table_.Apply(std::span(&*of_space.assignment, 1));
    if (!answer.error.ok()) answer.elsewhere = ToRoute(*of_space.assignment, node_.nodes_);
  }
  Do(plan_.OnAnswer(send.number, answers, now()));
}

void SimScatter::LookUp(const std::vector<ScatterPlan::AskAll>& in_doubt) {
  auto self = shared_from_this();
  for (const ScatterPlan::AskAll& ask : in_doubt) {
    const std::string& name = names_[ask.space];
    auto done = [self, space = ask.space](const routing::LookUp& answer) {
      if (self->finished_) return;
      self->looked_up_.emplace_back(space, answer);
      if (self->looked_up_.size() > 1) return;
      self->node_.scheduler_.After({}, [self] {
        const auto answers = std::exchange(self->looked_up_, {});
        if (!self->finished_) self->Do(self->plan_.OnLookUps(answers, self->now()));
      });
    };
    const bool first = node_.look_ups_.Join(name, {ask.known}, now(), std::move(done));
    if (first) std::make_shared<SimLookUp>(node_, name)->Start();
  }
}

void SimScatter::Finish() {
  finished_ = true;
  ScatterAnswer answer;
  for (ScatterPlan::Space space = 0; space < plan_.size(); ++space) {
    const ScatterPlan::Result& result = plan_.result(space);
    const bool known = result.node != routing::kNoNode;
    answer.spaces[names_[space]] = {
        result.answered, known ? node_.nodes_.IdOf(result.node).value() : "", result.error};
  }
  answer.stats = plan_.stats();
  answer.attempts = plan_.attempts();
  answer.at = now();
  node_.scheduler_.Trace(fmt::format("{} ends {}", node_.index(), answer.attempts.size()));
  std::exchange(done_, nullptr)(std::move(answer));
}

}  // namespace engram::simulation
