#include "engram/routing/scatter_plan.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/base/macros.h"
#include "engram/base/error.h"

namespace engram::routing {
namespace {

// A read may be asked again whatever became of it, unless the request itself is at fault.
bool WorthAnotherTry(const absl::Status& error) {
  return InfoOf(CodeOf(error)).retry != RetryClass::kFatal;
}

bool IsGone(const NodeState& node) {
  const Liveness liveness = node.liveness.load(std::memory_order_relaxed);
  return liveness == Liveness::kDead || liveness == Liveness::kLeft;
}

// What says that the node is not well; every other error says nothing about it (SPEC R9).
bool CountsAgainstNode(const absl::Status& error) {
  switch (CodeOf(error)) {
    case ErrorCode::kConnectionFailed:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kOverloaded:
    case ErrorCode::kUndetermined:
      return true;
    default:
      return false;
  }
}

}  // namespace

ScatterPlan::ScatterPlan(const std::vector<Holders>& spaces, std::vector<NodeIndex> everyone,
                         TimePoint deadline, const ScatterOptions& options, const NodeTable& nodes,
                         std::mt19937_64& random)
    : everyone_(std::move(everyone)),
      deadline_(deadline),
      options_(options),
      nodes_(nodes),
      random_(random),
      targets_(spaces.size()),
      results_(spaces.size()),
      unsettled_(spaces.size()) {
  for (size_t i = 0; i < spaces.size(); ++i) {
    targets_[i].version = spaces[i].version;
    for (NodeIndex node : spaces[i].nodes) targets_[i].holders.push_back({node});
    results_[i].error = MakeError(ErrorCode::kNoAssignment, "no holder is known");
  }
}

ScatterPlan::Step ScatterPlan::OnAnswer(uint32_t number, std::span<const Answer> answers,
                                        TimePoint now) {
  if (finished()) return {};
  Request& request = End(number);
  ABSL_HARDENING_ASSERT(answers.size() == request.spaces.size());
  if (request.node != options_.self) nodes_.Of(request.node).reads.OnSuccess(request.ticket, now);
  const TimePoint retry_at = RetryAt(request, now);
  for (size_t i = 0; i < answers.size(); ++i) {
    Take(request.spaces[i], request.node, answers[i], retry_at);
  }
  return Next(now);
}

ScatterPlan::Step ScatterPlan::OnFailure(uint32_t number, const absl::Status& error,
                                         TimePoint now) {
  if (finished()) return {};
  const Request& request = End(number);
  Report(request, error, now);
  const TimePoint retry_at =
      std::max(RetryAt(request, now), now + DetailOf(error).retry_after);  // push-back
  for (Space space : request.spaces) Fail(space, request.node, error, retry_at);
  return Next(now);
}

ScatterPlan::Request& ScatterPlan::End(uint32_t number) {
  Request& request = requests_[number];
  ABSL_HARDENING_ASSERT(!request.ended);
  request.ended = true;
  for (Space space : request.spaces) {
    --targets_[space].under_way;
    if (!request.slow) --targets_[space].fresh;
  }
  return request;
}

// One moment for all spaces of a request, so that they are asked for together again.
TimePoint ScatterPlan::RetryAt(const Request& request, TimePoint now) {
  return now + BackoffDelay(options_.backoff, request.tries, random_);
}

void ScatterPlan::Take(Space space, NodeIndex node, const Answer& answer, TimePoint retry_at) {
  if (targets_[space].settled) return;
  switch (answer.kind) {
    case Answer::Kind::kAnswered:
      return Settle(space, {true, node, absl::OkStatus()});
    case Answer::Kind::kNotHere:
      return Exclude(space, node, answer.error);
    case Answer::Kind::kElsewhere:
      return Follow(space, node, answer);
    case Answer::Kind::kFailed:
      return Fail(space, node, answer.error, retry_at);
  }
}

void ScatterPlan::Follow(Space space, NodeIndex node, const Answer& answer) {
  Target& target = targets_[space];
  const bool newer = nodes_.Newer(answer.route.version, target.version);
  if (!newer || target.redirects == options_.redirects_max) {
    return Exclude(space, node, answer.error);
  }
  ++target.redirects;
  target.version = answer.route.version;
  target.holders.assign(1, {answer.route.primary});
  for (NodeIndex replica : answer.route.replicas()) target.holders.push_back({replica});
  results_[space] = {false, node, answer.error};
}

void ScatterPlan::Fail(Space space, NodeIndex node, const absl::Status& error, TimePoint retry_at) {
  if (targets_[space].settled) return;
  if (!WorthAnotherTry(error)) return Exclude(space, node, error);
  results_[space] = {false, node, error};
  targets_[space].not_before = retry_at;
}

void ScatterPlan::Exclude(Space space, NodeIndex node, const absl::Status& error) {
  if (targets_[space].settled) return;
  results_[space] = {false, node, error};
  const ErrorCode code = CodeOf(error);
  for (Holder& holder : targets_[space].holders) {
    if (holder.node != node) continue;
    holder.out = true;
    holder.disclaims = code == ErrorCode::kNoAssignment || code == ErrorCode::kWrongNode;
  }
}

void ScatterPlan::Settle(Space space, Result result) {
  targets_[space].settled = true;
  results_[space] = std::move(result);
  --unsettled_;
}

void ScatterPlan::SettleAllMissing() {
  for (Space space = 0; space < targets_.size(); ++space) {
    if (targets_[space].settled) continue;
    Result result = results_[space];
    if (targets_[space].under_way > 0) {
      result.error = MakeError(ErrorCode::kDeadlineExceeded, "no answer within the time limit");
    }
    Settle(space, std::move(result));
  }
}

ScatterPlan::Step ScatterPlan::Next(TimePoint now) {
  Step step;
  MarkSlow(now);
  if (now >= deadline_) SettleAllMissing();
  for (auto& [node, request] : Group(now)) {
    step.sends.push_back({static_cast<uint32_t>(requests_.size()), node, request.spaces});
    requests_.push_back(std::move(request));
  }
  if (finished()) {
    Abandon(now);
  } else {
    step.wake = WakeAt();
  }
  return step;
}

void ScatterPlan::Report(const Request& request, const absl::Status& error, TimePoint now) {
  if (request.node == options_.self) return;
  CircuitBreaker& breaker = nodes_.Of(request.node).reads;
  if (CountsAgainstNode(error)) {
    breaker.OnFailure(request.ticket, now, random_);
  } else {
    breaker.OnNoVerdict(request.ticket);
  }
}

// A node that was slow, or silent to the end, has failed; the others were only not needed.
void ScatterPlan::Abandon(TimePoint now) {
  const absl::Status silent = MakeError(ErrorCode::kDeadlineExceeded, "");
  for (Request& request : requests_) {
    if (request.ended) continue;
    request.ended = true;
    Report(request, request.slow || now >= deadline_ ? silent : absl::CancelledError(), now);
  }
}

void ScatterPlan::MarkSlow(TimePoint now) {
  for (Request& request : requests_) {
    if (request.ended || request.slow || now < request.slow_at) continue;
    request.slow = true;
    for (Space space : request.spaces) --targets_[space].fresh;
  }
}

ScatterPlan::Groups ScatterPlan::Group(TimePoint now) {
  Groups admitted;
  for (bool again = true; again;) {
    again = false;
    Groups groups;
    for (Space space = 0; space < targets_.size(); ++space) AskFor(space, now, groups);
    for (auto& [node, request] : groups) {
      request.node = node;
      request.slow_at = now + options_.try_limit;
      // A node that has its request of this round already is not asked a second time.
      auto same = admitted.find(node);
      if (same != admitted.end()) {
        same->second.spaces.insert(same->second.spaces.end(), request.spaces.begin(),
                                   request.spaces.end());
        std::sort(same->second.spaces.begin(), same->second.spaces.end());
      } else if (Admit(request, now)) {
        admitted.emplace(node, std::move(request));
      } else {
        again = true;
      }
    }
  }
  return admitted;
}

void ScatterPlan::AskFor(Space space, TimePoint now, Groups& groups) {
  Target& target = targets_[space];
  if (target.settled || target.fresh > 0) return;
  do {
    Holder* holder = Choose(space, now);
    if (holder == nullptr) return;
    Request& request = groups[holder->node];
    request.repeated = holder->tries > 0 && (request.repeated || request.spaces.empty());
    request.spaces.push_back(space);
    request.tries = std::max(request.tries, holder->tries);
    ++holder->tries;
    ++target.under_way;
    ++target.fresh;
    results_[space].node = holder->node;
  } while (target.asking_everybody);
}

bool ScatterPlan::Admit(Request& request, TimePoint now) {
  if (request.node == options_.self) return true;
  NodeState& node = nodes_.Of(request.node);
  std::optional<CircuitBreaker::Ticket> ticket = node.reads.Admit(now);
  if (!ticket && node.liveness.load() == Liveness::kAlive && IsLast(request)) {
    ticket = node.reads.AdmitLast(now);
  }
  if (!ticket) {
    ErrorDetail detail;
    detail.code = ErrorCode::kCircuitBreakerOpen;
    detail.retry_after = std::max(Duration::zero(), node.reads.retry_at() - now);
    TakeBack(request, MakeError(detail, "it has failed repeatedly and is left alone for a while"));
    return false;
  }
  if (request.repeated && !node.budget.TryWithdraw(now)) {
    node.reads.OnNoVerdict(*ticket);
    TakeBack(request, absl::OkStatus());
    return false;
  }
  if (!request.repeated) node.budget.OnRequest(now);
  request.ticket = *ticket;
  return true;
}

// The node is none of the spaces' holders any more, in this plan; `why` unless what went before
// says it better.
void ScatterPlan::TakeBack(const Request& request, const absl::Status& why) {
  for (Space space : request.spaces) {
    --targets_[space].under_way;
    --targets_[space].fresh;
    Exclude(space, request.node, why.ok() ? results_[space].error : why);
  }
}

// Some space of the request has no other holder to ask.
bool ScatterPlan::IsLast(const Request& request) const {
  return std::any_of(request.spaces.begin(), request.spaces.end(), [&](Space space) {
    const HolderList& holders = targets_[space].holders;
    return std::none_of(holders.begin(), holders.end(), [&](const Holder& holder) {
      return holder.node != request.node && !holder.out && holder.tries == 0;
    });
  });
}

ScatterPlan::Holder* ScatterPlan::Choose(Space space, TimePoint now) {
  Target& target = targets_[space];
  Holder* holder = LeastTried(target);
  const bool untried = holder != nullptr && holder->tries == 0;
  if (untried) return holder;
  if (target.under_way > 0) return nullptr;  // it may still answer
  if (holder == nullptr && AddEverybody(target)) return LeastTried(target);
  const bool again = holder != nullptr && target.not_before < deadline_;
  if (!again) Settle(space, results_[space]);
  return again && now >= target.not_before ? holder : nullptr;
}

// Null if nobody is left.
ScatterPlan::Holder* ScatterPlan::LeastTried(Target& target) {
  auto order = [this](const Holder& holder) {
    return std::tuple(holder.out, holder.tries, IsGone(nodes_.Of(holder.node)));
  };
  auto least =
      std::min_element(target.holders.begin(), target.holders.end(),
                       [&](const Holder& a, const Holder& b) { return order(a) < order(b); });
  if (least == target.holders.end() || least->out) return nullptr;
  return least->tries < options_.tries_per_node_max ? &*least : nullptr;
}

// For a space that has moved away from all its known holders; false if that leaves nobody to ask.
bool ScatterPlan::AddEverybody(Target& target) {
  const bool moved_away = std::all_of(target.holders.begin(), target.holders.end(),
                                      [](const Holder& holder) { return holder.disclaims; });
  if (!moved_away || target.asking_everybody || target.version == RouteVersion{}) return false;
  target.asking_everybody = true;
  for (NodeIndex node : everyone_) {
    const bool known = std::any_of(target.holders.begin(), target.holders.end(),
                                   [&](const Holder& holder) { return holder.node == node; });
    if (!known) target.holders.push_back({node});
  }
  return LeastTried(target) != nullptr;
}

TimePoint ScatterPlan::WakeAt() const {
  TimePoint wake = deadline_;
  for (const Request& request : requests_) {
    if (!request.ended && !request.slow) wake = std::min(wake, request.slow_at);
  }
  for (const Target& target : targets_) {
    if (!target.settled && target.under_way == 0) wake = std::min(wake, target.not_before);
  }
  return wake;
}

}  // namespace engram::routing
