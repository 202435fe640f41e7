#include "engram/routing/scatter_plan.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/base/macros.h"
#include "engram/base/error.h"

namespace engram::routing {
namespace {

constexpr Duration kPushBackMax = std::chrono::seconds(60);

// Whether the error is the node's own; else nothing was heard of it.
bool Heard(const absl::Status& error) {
  const ErrorCode code = CodeOf(error);
  return code != ErrorCode::kConnectionFailed && code != ErrorCode::kDeadlineExceeded &&
         code != ErrorCode::kUndetermined;
}

bool Denies(const absl::Status& error) {
  const RetryClass retry = InfoOf(CodeOf(error)).retry;
  return retry == RetryClass::kRedirect || retry == RetryClass::kLookUp;
}

std::string_view OutcomeOf(const absl::Status& status) {
  if (status.ok()) return "ok";
  switch (InfoOf(CodeOf(status)).retry) {
    case RetryClass::kRedirect:
      return "redirect";
    case RetryClass::kLookUp:
      return "not_here";
    default:
      return "failed";
  }
}

std::string_view TextOf(ScatterReason why, const ScatterOptions& options) {
  constexpr std::array<std::string_view, 6> kTexts = {
      "", "tried again", "fallback", "found by asking all", "redirected", "last holder"};
  return why == ScatterReason::kFirst ? options.why : kTexts[static_cast<size_t>(why)];
}

// What a request with several outcomes is called by: a failure before a denial before success.
absl::Status WorstOf(std::span<const ScatterPlan::Answer> answers) {
  auto badness = [](const ScatterPlan::Answer& answer) {
    return answer.error.ok() ? 0 : Denies(answer.error) ? 1 : 2;
  };
  auto worst = std::max_element(answers.begin(), answers.end(), [&](const auto& a, const auto& b) {
    return badness(a) < badness(b);
  });
  return worst == answers.end() ? absl::OkStatus() : worst->error;
}

absl::Status Silent() {
  return MakeError(ErrorCode::kDeadlineExceeded, "no answer within the time limit");
}

}  // namespace

Decision DecideOneOfMany(const ReadPolicy& policy, const Knowledge& knowledge, const View& view,
                         TimePoint now, std::mt19937_64& random) {
  Decision decision = Decide(Operation::kRecall, policy, knowledge, view, now, random);
  if (decision.strategy != Strategy::kLocal || !policy.replica_fallback) return decision;
  const Route& route = *Authority(knowledge, view);
  for (NodeIndex node : OrderHolders(Operation::kRecall, policy, route, view.nodes, now, random)) {
    if (node != view.self) decision.candidates.push_back(node);
  }
  return decision;
}

ScatterPlan::ScatterPlan(const std::vector<Wanted>& spaces, TimePoint deadline,
                         const ScatterOptions& options, const NodeTable& nodes,
                         std::mt19937_64& random)
    : rules_{options, nodes, random, deadline} {
  targets_.reserve(spaces.size());
  for (const Wanted& wanted : spaces) targets_.emplace_back(wanted);
  CountUnsettled();
}

// Nobody waits for the answers any more: they say nothing about the nodes.
ScatterPlan::~ScatterPlan() {
  for (Request& request : requests_) {
    if (request.ended || request.node == rules_.options.self) continue;
    rules_.nodes.Of(request.node).reads.OnNoVerdict(request.ticket);
    rules_.nodes.Of(request.node).latency.Abandon();
  }
}

ScatterPlan::Step ScatterPlan::OnAnswer(uint32_t number, std::span<const Answer> answers,
                                        TimePoint now) {
  const Request* request = End(number);
  if (request == nullptr) return {};
  ABSL_HARDENING_ASSERT(answers.size() == request->spaces.size());
  const absl::Status worst = WorstOf(answers);
  Judge(*request, worst, now);
  Record(*request, worst, now);
  for (size_t i = 0; i < answers.size(); ++i) {
    ScatterTarget& target = targets_[request->spaces[i]];
    const Answer& answer = answers[i];
    stats_.redirects += CodeOf(answer.error) == ErrorCode::kWrongNode ? 1 : 0;
    if (target.settled()) continue;
    if (answer.error.ok()) {
      target.OnAnswered(request->node);
    } else if (Denies(answer.error)) {
      target.OnDenied(request->node, answer.error, answer.elsewhere, rules_, now);
    } else {
      target.OnFailed(request->node, answer.error, true);
    }
  }
  return Next(now);
}

ScatterPlan::Step ScatterPlan::OnFailure(uint32_t number, const absl::Status& error,
                                         TimePoint now) {
  const Request* request = End(number);
  if (request == nullptr) return {};
  Judge(*request, error, now);
  Record(*request, error, now);
  for (Space space : request->spaces) {
    ScatterTarget& target = targets_[space];
    if (!target.settled()) target.OnFailed(request->node, error, Heard(error));
  }
  return Next(now);
}

ScatterPlan::Step ScatterPlan::OnLookUps(std::span<const std::pair<Space, LookUp>> answers,
                                         TimePoint now) {
  if (finished()) return {};
  for (const auto& [space, look_up] : answers) {
    ScatterTarget& target = targets_[space];
    if (!target.settled()) target.OnLookUp(look_up, rules_, now);
  }
  return Next(now);
}

ScatterPlan::Step ScatterPlan::Next(TimePoint now) {
  Step step;
  MarkSlow(now);
  if (now >= rules_.deadline) {
    for (ScatterTarget& target : targets_) {
      if (!target.settled()) target.OnDeadline();
    }
  }
  Groups admitted;
  while (Group(now, admitted, step.look_ups)) {
  }
  stats_.look_ups += step.look_ups.empty() ? 0 : 1;
  for (auto& [node, request] : admitted) {
    Count(request);
    step.sends.push_back({static_cast<uint32_t>(requests_.size()), node, request.spaces});
    requests_.push_back(std::move(request));
  }
  CountUnsettled();
  if (finished()) {
    Abandon(now);
  } else {
    step.wake = WakeAt();
  }
  return step;
}

void ScatterPlan::MarkSlow(TimePoint now) {
  for (Request& request : requests_) {
    const bool slow = now - request.since >= rules_.options.try_limit;
    if (request.ended || request.slow || !slow) continue;
    request.slow = true;
    for (Space space : request.spaces) targets_[space].OnSlow();
  }
}

bool ScatterPlan::Group(TimePoint now, Groups& admitted, std::vector<AskAll>& look_ups) {
  Groups groups;
  for (Space space = 0; space < targets_.size(); ++space) {
    ScatterTarget& target = targets_[space];
    if (target.settled()) continue;
    const ScatterTarget::Move move = target.Next(rules_, now);
    if (move.kind == ScatterTarget::Move::Kind::kLookUp) {
      look_ups.push_back({space, target.version()});
    }
    if (move.kind != ScatterTarget::Move::Kind::kAsk) continue;
    Request& request = groups[move.node];
    request.node = move.node;
    request.since = now;
    request.spaces.push_back(space);
    request.why = std::max(request.why, move.why);
    request.repeated = request.repeated && move.repeated;
    request.forward = request.forward || move.first || move.why == ScatterReason::kRedirected;
  }
  bool refused = false;
  for (auto& [node, request] : groups) {
    if (admitted.contains(node) || Admit(request, now)) {
      Add(std::move(request), admitted);
    } else {
      refused = true;
    }
  }
  return refused;
}

// A node that has its request of this moment already gets no second one.
void ScatterPlan::Add(Request&& request, Groups& admitted) {
  for (Space space : request.spaces) targets_[space].OnSent(request.node);
  auto [same, is_new] = admitted.try_emplace(request.node, std::move(request));
  if (is_new) return;
  Request& whole = same->second;
  whole.spaces.insert(whole.spaces.end(), request.spaces.begin(), request.spaces.end());
  std::sort(whole.spaces.begin(), whole.spaces.end());
  whole.why = std::max(whole.why, request.why);
  whole.repeated = whole.repeated && request.repeated;
  whole.forward = whole.forward || request.forward;
}

std::optional<CircuitBreaker::Ticket> ScatterPlan::TicketFor(const Request& request,
                                                             TimePoint now) {
  CircuitBreaker& breaker = rules_.nodes.Of(request.node).reads;
  auto ticket = breaker.Admit(now);
  if (ticket.has_value() || request.why != ScatterReason::kLastHolder) return ticket;
  return breaker.AdmitLast(now);
}

bool ScatterPlan::Admit(Request& request, TimePoint now) {
  if (request.node == rules_.options.self) return true;
  NodeState& node = rules_.nodes.Of(request.node);
  const auto ticket = TicketFor(request, now);
  if (!ticket.has_value()) {
    ++stats_.breaker_refusals;
    if (request.why != ScatterReason::kLastHolder) {
      attempts_.push_back({node.id.view(),
                           "skipped",
                           TextOf(request.why, rules_.options),
                           MakeError(ErrorCode::kCircuitBreakerOpen, "its circuit breaker is open"),
                           {}});
    }
    for (Space space : request.spaces) {
      targets_[space].OnShut(request.node, node.reads.retry_at());
    }
    return false;
  }
  if (request.repeated && !node.budget.TryWithdraw(now)) {
    ++stats_.budget_refusals;
    node.reads.OnNoVerdict(*ticket);
    for (Space space : request.spaces) targets_[space].OnSpent(request.node);
    return false;
  }
  if (!request.repeated) node.budget.OnRequest(now);
  node.latency.Begin();
  request.ticket = *ticket;
  return true;
}

void ScatterPlan::Count(const Request& request) {
  const bool away = request.node != rules_.options.self;
  stats_.hops += away && request.forward ? 1 : 0;
  stats_.fallbacks += request.why == ScatterReason::kFallback ? 1 : 0;
  if (!request.repeated) return;
  ++stats_.retries;
  stats_.retried_for.push_back(CodeOf(targets_[request.spaces.front()].result().error));
}

ScatterPlan::Request* ScatterPlan::End(uint32_t number) {
  if (finished()) return nullptr;
  Request& request = requests_[number];
  ABSL_HARDENING_ASSERT(!request.ended);
  request.ended = true;
  for (Space space : request.spaces) targets_[space].OnEnded(request.slow);
  return &request;
}

// As for a single request (call_plan.cc): a node that answers is well, whatever it answers, unless
// it says that it is overloaded without saying for how long.
void ScatterPlan::Judge(const Request& request, const absl::Status& status, TimePoint now) {
  if (request.node == rules_.options.self) return;
  NodeState& node = rules_.nodes.Of(request.node);
  const Duration took = now - request.since;
  const ErrorDetail detail = DetailOf(status);
  const bool timed_out = detail.code == ErrorCode::kDeadlineExceeded;
  const bool answered = status.ok() || Heard(status);
  if (answered || timed_out) {
    node.latency.End(took, now);
  } else {
    node.latency.Abandon();
  }
  const bool pushed_back =
      detail.code == ErrorCode::kOverloaded && detail.retry_after > Duration::zero();
  if (pushed_back) node.PushBack(now + std::min(detail.retry_after, kPushBackMax));
  const bool at_fault = !status.ok() && InfoOf(detail.code).held_against_node && !pushed_back &&
                        (!timed_out || took >= rules_.options.try_limit);
  if (at_fault) return node.reads.OnFailure(request.ticket, now, rules_.random);
  answered ? node.reads.OnSuccess(request.ticket, now) : node.reads.OnNoVerdict(request.ticket);
}

void ScatterPlan::Record(const Request& request, const absl::Status& status, TimePoint now) {
  attempts_.push_back({rules_.nodes.IdOf(request.node).view(), OutcomeOf(status),
                       TextOf(request.why, rules_.options), status, now - request.since});
}

// A node that was slow, or silent to the end, has failed; the others were only not needed.
void ScatterPlan::Abandon(TimePoint now) {
  for (Request& request : requests_) {
    if (request.ended) continue;
    const bool silent = request.slow || now >= rules_.deadline;
    if (!silent) continue;
    request.ended = true;
    Judge(request, Silent(), now);
    Record(request, Silent(), now);
  }
}

void ScatterPlan::CountUnsettled() {
  unsettled_ = static_cast<size_t>(
      std::count_if(targets_.begin(), targets_.end(),
                    [](const ScatterTarget& target) { return !target.settled(); }));
}

TimePoint ScatterPlan::WakeAt() const {
  TimePoint wake = rules_.deadline;
  for (const Request& request : requests_) {
    if (!request.ended && !request.slow) {
      wake = std::min(wake, request.since + rules_.options.try_limit);
    }
  }
  for (const ScatterTarget& target : targets_) {
    const TimePoint at = target.settled() ? TimePoint::min() : target.look_at();
    if (at > TimePoint::min()) wake = std::min(wake, at);
  }
  return wake;
}

}  // namespace engram::routing
