#include "engram/routing/call_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/base/optimization.h"

namespace engram::routing {
namespace {

std::string_view TextOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// What to do about an error of one try. What was not begun may always be tried again; what may have
// been carried out is never simply failed.
RetryClass Classify(const Outcome& outcome) {
  RetryClass by_code = InfoOf(CodeOf(outcome.status)).retry;
  // This node itself is cut off: nothing else would be sent either.
  if (outcome.delivery == Delivery::kNotSent && CodeOf(outcome.status) == ErrorCode::kNoLocalData) {
    return RetryClass::kFatal;
  }
  if (outcome.delivery == Delivery::kUndetermined) return RetryClass::kUndetermined;
  if (outcome.delivery == Delivery::kNotSent && by_code == RetryClass::kUndetermined) {
    return RetryClass::kRetriable;
  }
  return by_code;
}

// What a peer may ask for at most.
constexpr Duration kPushBackMax = std::chrono::seconds(60);

Duration PushBackOf(const ErrorDetail& detail) {
  return std::min(detail.retry_after, kPushBackMax);
}

}  // namespace

CallPlan::CallPlan(const CallRequest& request, const Decision& decision, NodeIndex proposed,
                   NodeTable& nodes, const CallPlanOptions& options, std::mt19937_64& random)
    : request_(request),
      proposed_(proposed),
      nodes_(nodes),
      options_(options),
      random_(random),
      version_(decision.version),
      assigned_(decision.source == RouteSource::kAssignment),
      why_(assigned_ ? "assigned" : "proposed by the ring") {
  for (NodeIndex node : decision.candidates) candidates_.push_back({node});
}

CallPlan::~CallPlan() {
  for (const UnderWay& u : under_way_) {
    BreakerOf(u.node).OnNoVerdict(u.ticket);
    nodes_.Of(u.node).latency.Abandon();
  }
}

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

CallPlan::Action CallPlan::Start(TimePoint now) {
  doubt_ = candidates_.empty();
  return Next(now);
}

CallPlan::Action CallPlan::OnTimer(TimePoint now) {
  if (!under_way_.empty()) return WhileSlow(now);
  why_ = "tried again";
  return Next(now);
}

CallPlan::Action CallPlan::OnOutcome(int attempt, const Outcome& outcome, TimePoint now) {
  const UnderWay ended = Take(attempt);
  Judge(ended, outcome, now);
  if (outcome.status.ok()) {
    Record(ended, "ok", outcome.status, now);
    return Finish{absl::OkStatus()};
  }
  last_error_ = outcome.status;
  why_ = "fallback";
  switch (Classify(outcome)) {
    case RetryClass::kFatal:
      Record(ended, "failed", outcome.status, now);
      return End(outcome.status);
    case RetryClass::kRedirect:
      Record(ended, "redirect", outcome.status, now);
      Deny(ended.node);
      return Follow(outcome, now);
    case RetryClass::kLookUp:
      Record(ended, "not_here", outcome.status, now);
      Deny(ended.node);
      break;
    case RetryClass::kUndetermined:
      Record(ended, "undetermined", outcome.status, now);
      maybe_done_ = maybe_done_ || IsWrite(request_.op);
      doubt_ = true;
      break;
    case RetryClass::kRetriable:
      Record(ended, "failed", outcome.status, now);
      // A node that answered is the right one, only busy; one that did not may be gone.
      doubt_ = doubt_ || outcome.delivery != Delivery::kAnswered;
      break;
  }
  return Next(now);
}

CallPlan::Action CallPlan::Next(TimePoint now) {
  if (now >= request_.deadline) return EndAtDeadline();
  if (auto send = TryCandidates(now)) return *std::move(send);
  if (!under_way_.empty() || asking_) return Await{};
  if (doubt_ && !looked_up_) return Ask();
  if (auto probe = ProbeLastHolder(now)) return *std::move(probe);
  return NextRound(now);
}

CallPlan::Action CallPlan::Ask() {
  looked_up_ = asking_ = true;
  ++stats_.look_ups;
  return AskAll{version_, request_.deadline};
}

// In their order, each at most once more often than there were waits.
std::optional<CallPlan::Action> CallPlan::TryCandidates(TimePoint now) {
  for (Candidate& candidate : candidates_) {
    if (candidate.tries > rounds_ || candidate.Excluded()) continue;
    if (candidate.tries >= options_.tries_per_node_max) continue;
    if (auto send = Try(candidate, now)) return send;
  }
  return std::nullopt;
}

std::optional<CallPlan::Action> CallPlan::Try(Candidate& candidate, TimePoint now) {
  NodeState& node = nodes_.Of(candidate.node);
  if (candidate.tries > 0 && !node.budget.TryWithdraw(now)) {
    ++stats_.budget_refusals;
    candidate.spent = true;
    return std::nullopt;
  }
  auto ticket = BreakerOf(candidate.node).Admit(now);
  if (ticket.has_value()) return SendTo(candidate, *ticket, now);
  ++stats_.breaker_refusals;
  doubt_ = true;
  Skip(candidate, ErrorCode::kCircuitBreakerOpen, "its circuit breaker is open");
  return std::nullopt;
}

// All breakers are open. Without this, a space whose last holder has come back would stay shut out
// until the breaker's time is up.
std::optional<CallPlan::Action> CallPlan::ProbeLastHolder(TimePoint now) {
  for (Candidate& candidate : candidates_) {
    const bool alive =
        nodes_.Of(candidate.node).liveness.load(std::memory_order_relaxed) == Liveness::kAlive;
    if (!alive || !candidate.shut || candidate.tries > 0) continue;
    auto ticket = BreakerOf(candidate.node).AdmitLast(now);
    if (!ticket.has_value()) continue;
    why_ = "last holder";
    return SendTo(candidate, *ticket, now);
  }
  return std::nullopt;
}

CallPlan::Action CallPlan::SendTo(Candidate& candidate, CircuitBreaker::Ticket ticket,
                                  TimePoint now) {
  NodeState& node = nodes_.Of(candidate.node);
  const bool repeat = candidate.tries++ > 0;
  if (repeat) {
    ++stats_.retries;
    stats_.retried_for.push_back(CodeOf(last_error_));
  } else {
    node.budget.OnRequest(now);
    stats_.fallbacks += why_ == "fallback" ? 1 : 0;
  }
  node.latency.Begin();
  stats_.hops = redirects_followed_ + 1;
  last_asked_ = candidate.node;
  const int attempt = static_cast<int>(attempts_.size() + under_way_.size());
  under_way_.push_back({attempt, candidate.node, ticket, now, why_});
  Send send{attempt, candidate.node, request_.deadline, stats_.hops, version_, create_, kNever};
  SetLimits(candidate, ticket.probe, now, send);
  return send;
}

// All candidates were tried as often: wait, then once more from the first.
CallPlan::Action CallPlan::NextRound(TimePoint now) {
  const bool all_shut = std::all_of(candidates_.begin(), candidates_.end(),
                                    [](const Candidate& c) { return c.shut; });
  if (all_shut && !candidates_.empty()) return AllShut(now);
  if (!progress_ && rounds_ + 1 >= RoundsMax()) return GiveUp();
  TimePoint until = now + BackoffDelay(options_.backoff, rounds_, random_);
  rounds_ += progress_ ? 0 : 1;
  // The peer knows better than the formula when it will have time.
  const Duration asked_for = PushBackOf(DetailOf(last_error_));
  if (asked_for > Duration::zero()) {
    until = std::max(until, now + BackoffDelay({asked_for * 2, asked_for * 2}, 0, random_));
  }
  if (until >= request_.deadline) return GiveUp();
  for (Candidate& candidate : candidates_) candidate.shut = candidate.spent = false;
  looked_up_ = progress_ = false;
  return Wait{until};
}

// A space that moves about is followed until the deadline, as long as something newer is learnt. A
// node that denies was not tried, and the right one may be about to take the space over.
int CallPlan::RoundsMax() const {
  const bool denied = std::any_of(candidates_.begin(), candidates_.end(),
                                  [](const Candidate& c) { return c.denied; });
  return denied ? 2 * options_.tries_per_node_max : options_.tries_per_node_max;
}

CallPlan::Action CallPlan::Follow(const Outcome& outcome, TimePoint now) {
  ++stats_.redirects;
  const bool raises = outcome.redirect.has_value() &&
                      (!assigned_ || nodes_.Newer(outcome.redirect->version, version_));
  if (!raises) return Next(now);
  progress_ = true;
  if (redirects_followed_ < options_.redirects_max) {
    ++redirects_followed_;
    looked_up_ = false;
    Adopt(*outcome.redirect, "redirected", now);
  } else {
    version_ = outcome.redirect->version;
  }
  return Next(now);
}

// Only what is newer than what the request was routed by: a node that was owner once and has not
// heard of the next one claims the space too. Replicas whose primary is silent help only whom may
// turn to them.
CallPlan::Action CallPlan::OnLookUp(const LookUp& look_up, TimePoint now) {
  asking_ = false;
  const auto& found = look_up.claim.has_value() ? look_up.claim : look_up.heard;
  if (!found.has_value() && !assigned_ && under_way_.empty()) return NobodyHolds(look_up, now);
  const bool helps =
      found.has_value() && (found->primary != kNoNode || request_.policy.replica_fallback);
  if (helps && (!assigned_ || !nodes_.Newer(version_, found->version))) {
    progress_ = progress_ || !assigned_ || found->version != version_;
    Adopt(*found, "found by asking all", now);
  }
  return Next(now);
}

// A space that nobody holds comes into being at the ring's first holder, with its first memory.
CallPlan::Action CallPlan::NobodyHolds(const LookUp& look_up, TimePoint now) {
  if (request_.op == Operation::kStore) {
    create_ = true;
    why_ = "creates the space";
    auto is_proposed = [this](const Candidate& c) { return c.node == proposed_; };
    auto at = std::find_if(candidates_.begin(), candidates_.end(), is_proposed);
    if (at == candidates_.end()) at = candidates_.insert(at, {proposed_});
    at->denied = false;
    return Next(now);
  }
  if (look_up.answered >= look_up.asked) {
    return End(
        Error(ErrorCode::kNoAssignment, fmt::format("there is no space '{}'", request_.space)));
  }
  return End(Error(ErrorCode::kAllReplicasFailed,
                   fmt::format("no node that answers holds space '{}', and {} did not answer",
                               request_.space, look_up.asked - look_up.answered)));
}

// Nodes that were tried already keep their count; those that denied are asked again.
void CallPlan::Adopt(const Route& route, std::string_view why, TimePoint now) {
  NodeList holders = OrderHolders(request_.op, request_.policy, route, nodes_, now, random_);
  absl::InlinedVector<Candidate, 3> next;
  for (NodeIndex node : holders) {
    auto before = std::find_if(candidates_.begin(), candidates_.end(),
                               [node](const Candidate& c) { return c.node == node; });
    next.push_back(before == candidates_.end() ? Candidate{node} : *before);
    next.back().denied = false;
  }
  if (!next.empty()) candidates_ = std::move(next);
  version_ = route.version;
  assigned_ = true;
  create_ = false;
  why_ = why;
}

// The time to check on a try has come.
CallPlan::Action CallPlan::WhileSlow(TimePoint now) {
  if ((options_.hedged_reads || Probing()) && !IsWrite(request_.op)) {
    if (auto hedge = Hedge(now)) return *std::move(hedge);
  }
  if (looked_up_ || now >= request_.deadline) return Await{};
  return Ask();
}

std::optional<CallPlan::Action> CallPlan::Hedge(TimePoint now) {
  for (Candidate& candidate : candidates_) {
    if (candidate.tries > 0 || candidate.Excluded()) continue;
    if (!Probing() && !nodes_.Of(candidate.node).budget.TryWithdraw(now)) {
      ++stats_.budget_refusals;
      return Await{};
    }
    auto ticket = BreakerOf(candidate.node).Admit(now);
    if (!ticket.has_value()) continue;
    ++stats_.hedges;
    why_ = "hedged";
    return SendTo(candidate, *ticket, now);
  }
  return std::nullopt;
}

CallPlan::Action CallPlan::GiveUp() {
  if (candidates_.empty() && !assigned_) {
    return End(Error(ErrorCode::kNoAssignment,
                     fmt::format("no node is known to hold space '{}'", request_.space)));
  }
  const std::string_view why =
      last_error_.ok() ? "those who may do not answer" : TextOf(last_error_);
  return End(Error(ErrorCode::kAllReplicasFailed,
                   fmt::format("no holder of space '{}' could serve it: {}", request_.space, why),
                   PushBackOf(DetailOf(last_error_))));
}

CallPlan::Action CallPlan::AllShut(TimePoint now) {
  if (!last_error_.ok()) return GiveUp();
  TimePoint earliest = kNever;
  for (const Candidate& candidate : candidates_) {
    earliest = std::min(earliest, BreakerOf(candidate.node).retry_at());
  }
  return End(Error(ErrorCode::kCircuitBreakerOpen,
                   fmt::format("all holders of space '{}' failed repeatedly and are left alone "
                               "for a while",
                               request_.space),
                   std::max(std::max(earliest, now) - now, options_.backoff.base)));
}

CallPlan::Action CallPlan::OnCutOff(const absl::Status& status) { return End(status); }

CallPlan::Action CallPlan::EndAtDeadline() {
  std::string message =
      fmt::format("the deadline passed before space '{}' answered", request_.space);
  if (!last_error_.ok()) message += fmt::format(": {}", TextOf(last_error_));
  return End(Error(ErrorCode::kDeadlineExceeded, message));
}

// Every error ends here: once a write may have been carried out, no later error makes it "failed".
CallPlan::Action CallPlan::End(const absl::Status& status) {
  if (!maybe_done_ || CodeOf(status) == ErrorCode::kDeadlineExceeded) return Finish{status};
  return Finish{Error(ErrorCode::kUndetermined,
                      fmt::format("the write to space '{}' may have been carried out: {}",
                                  request_.space, TextOf(status)))};
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
    send.check_at = now + options_.read_try_limit;
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
