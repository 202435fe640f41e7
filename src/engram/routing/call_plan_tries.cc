// What a try tells of its node, and what it is given in time: the part of CallPlan that knows
// breakers, budgets and latencies.
#include <algorithm>

#include "absl/base/optimization.h"
#include "engram/routing/call_plan.h"

namespace engram::routing {

void CallPlan::LetGo(TimePoint now) {
  auto probes = std::partition(under_way_.begin(), under_way_.end(),
                               [](const UnderWay& u) { return !u.ticket.probe; });
  for (auto u = under_way_.begin(); u != probes; ++u) {
    const bool fair = now - u->since >= options_.read_try_limit;
    NodeState& node = nodes_.Of(u->node);
    if (fair) {
      node.latency.End(now - u->since, now);
      BreakerOf(u->node).OnFailure(u->ticket, now, random_);
    } else {
      node.latency.Abandon();
      BreakerOf(u->node).OnNoVerdict(u->ticket);
    }
  }
  under_way_.erase(under_way_.begin(), probes);
}

bool CallPlan::IsProbe(int attempt) const {
  return std::any_of(under_way_.begin(), under_way_.end(), [attempt](const UnderWay& u) {
    return u.attempt == attempt && u.ticket.probe;
  });
}

void CallPlan::OnLateOutcome(int attempt, const Outcome& outcome, TimePoint now) {
  if (IsProbe(attempt)) Judge(Take(attempt), outcome, now);
}

CallPlan::UnderWay CallPlan::Take(int attempt) {
  auto at = std::find_if(under_way_.begin(), under_way_.end(),
                         [attempt](const UnderWay& u) { return u.attempt == attempt; });
  ABSL_HARDENING_ASSERT(at != under_way_.end());
  UnderWay ended = *at;
  under_way_.erase(at);
  return ended;
}

// What the try says about the node. A node that answers is well, whatever it answers, unless it
// says that it is overloaded without saying for how long.
void CallPlan::Judge(const UnderWay& ended, const Outcome& outcome, TimePoint now) {
  NodeState& node = nodes_.Of(ended.node);
  CircuitBreaker& breaker = BreakerOf(ended.node);
  const Duration took = now - ended.since;
  if (outcome.status.ok()) {
    node.latency.End(took, now);
    node.quantile.Observe(took, now);
    return breaker.OnSuccess(ended.ticket, now);
  }
  const ErrorDetail detail = DetailOf(outcome.status);
  const bool timed_out = detail.code == ErrorCode::kDeadlineExceeded;
  const bool answered = outcome.delivery == Delivery::kAnswered;
  if (timed_out || answered) {
    node.latency.End(took, now);
  } else {
    node.latency.Abandon();
  }
  const bool pushed_back =
      detail.code == ErrorCode::kOverloaded && detail.retry_after > Duration::zero();
  if (pushed_back) node.PushBack(now + PushBackOf(detail));
  if (InfoOf(detail.code).held_against_node && !pushed_back) {
    // A client that gives a node hardly any time must not shut it out.
    const bool fair = !timed_out || took >= options_.read_try_limit;
    return fair ? breaker.OnFailure(ended.ticket, now, random_) : breaker.OnNoVerdict(ended.ticket);
  }
  return answered ? breaker.OnSuccess(ended.ticket, now) : breaker.OnNoVerdict(ended.ticket);
}

void CallPlan::Skip(Candidate& candidate, ErrorCode code, std::string_view reason) {
  candidate.shut = true;
  attempts_.push_back(
      {nodes_.IdOf(candidate.node).view(), "skipped", why_, MakeError(code, reason), {}});
}

// Being told "not here" is no try at doing it.
void CallPlan::Deny(NodeIndex node) {
  doubt_ = true;
  for (Candidate& candidate : candidates_) {
    if (candidate.node != node) continue;
    candidate.denied = true;
    --candidate.tries;
  }
}

void CallPlan::Reached(NodeIndex node) {
  for (Candidate& candidate : candidates_) {
    candidate.reached = candidate.reached || candidate.node == node;
  }
}

void CallPlan::Record(const UnderWay& ended, std::string_view outcome, const absl::Status& status,
                      TimePoint now) {
  attempts_.push_back(
      {nodes_.IdOf(ended.node).view(), outcome, ended.why, status, now - ended.since});
}

void CallPlan::SetLimits(const Candidate& candidate, bool probe, TimePoint now, Send& send) const {
  const bool write = IsWrite(request_.op);
  const bool others = !write && OthersLeft(candidate);
  if (write || others) {
    Duration limit = write ? options_.write_try_limit : options_.read_try_limit;
    send.deadline = std::min(send.deadline, now + limit);
  }
  if (!others) {
    send.check_at = now + (OthersMayLead() ? options_.primary_patience : options_.read_try_limit);
  } else if (probe) {
    send.check_at = now + options_.probe_patience;
  } else if (options_.hedged_reads) {
    auto p95 = nodes_.Of(candidate.node).quantile.P95();
    if (p95.has_value()) send.check_at = now + *p95;
  }
}

bool CallPlan::Probing() const {
  return std::any_of(under_way_.begin(), under_way_.end(),
                     [](const UnderWay& u) { return u.ticket.probe; });
}

bool CallPlan::OthersLeft(const Candidate& candidate) const {
  return std::any_of(candidates_.begin(), candidates_.end(), [&](const Candidate& other) {
    return &other != &candidate && !other.Excluded() && other.tries < candidate.tries;
  });
}

CircuitBreaker& CallPlan::BreakerOf(NodeIndex node) const {
  NodeState& state = nodes_.Of(node);
  return IsWrite(request_.op) ? state.writes : state.reads;
}

// A peer may not ask for more than a minute.
Duration CallPlan::PushBackOf(const ErrorDetail& detail) {
  constexpr Duration kPushBackMax = std::chrono::seconds(60);
  return std::min(detail.retry_after, kPushBackMax);
}

absl::Status CallPlan::Error(ErrorCode code, const std::string& message,
                             Duration retry_after) const {
  ErrorDetail detail;
  detail.code = code;
  detail.space = request_.space;
  if (last_asked_ != kNoNode) detail.node = nodes_.IdOf(last_asked_).value();
  detail.retry_after = retry_after;
  return MakeError(detail, message);
}

}  // namespace engram::routing
