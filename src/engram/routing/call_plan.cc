#include "engram/routing/call_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/base/optimization.h"
#include "engram/base/planted.h"

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
      why_(assigned_ ? "assigned" : "proposed by the ring"),
      replicated_(decision.replicated) {
  for (NodeIndex node : decision.candidates) candidates_.push_back({node});
}

CallPlan::~CallPlan() {
  for (const UnderWay& u : under_way_) {
    BreakerOf(u.node).OnNoVerdict(u.ticket);
    nodes_.Of(u.node).latency.Abandon();
  }
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
  if (outcome.delivery != Delivery::kNotSent) Reached(ended.node);
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
  if (now >= request_.deadline && !IsPlanted(Bug::kDeadlineIgnored)) return EndAtDeadline();
  if (auto send = TryCandidates(now)) return *std::move(send);
  if (asking_) return Await{};
  if (!under_way_.empty()) return Await{leaderless_ ? NextQuestion(now) : kNever};
  if (doubt_ && !looked_up_) return Ask();
  if (auto probe = ProbeLastHolder(now)) return *std::move(probe);
  return patient_ ? AwaitPrimary(now) : NextRound(now);
}

CallPlan::Action CallPlan::Ask() {
  looked_up_ = asking_ = true;
  ++stats_.look_ups;
  // An older answer is of before the primary was lost, or before there was a new one. Half a pace,
  // so that those who wait for one space share theirs.
  const Duration age_max = OthersMayLead() ? options_.primary_pace / 2 : LookUp::kKeep;
  return AskAll{version_, request_.deadline, age_max};
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
  // What has not reached the node has cost it nothing.
  const bool free = candidate.tries == 0 || (patient_ && !candidate.reached);
  if (!free && !node.budget.TryWithdraw(now)) {
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
  if (until >= request_.deadline && !IsPlanted(Bug::kDeadlineIgnored)) return GiveUp();
  for (Candidate& candidate : candidates_) candidate.shut = candidate.spent = false;
  looked_up_ = progress_ = false;
  return Wait{until};
}

// Another holder will become primary, or this one come back, within some seconds. The rounds of
// tries at a primary begin again when there is one.
CallPlan::Action CallPlan::AwaitPrimary(TimePoint now) {
  const bool exhausted =
      std::all_of(candidates_.begin(), candidates_.end(),
                  [this](const Candidate& c) { return c.tries >= options_.tries_per_node_max; });
  if (exhausted && !leaderless_ && !progress_) return GiveUp();
  TimePoint until = NextQuestion(now);
  const Duration asked_for = PushBackOf(DetailOf(last_error_));
  if (!leaderless_ && asked_for > Duration::zero()) {
    until = std::max(until, now + BackoffDelay({asked_for * 2, asked_for * 2}, 0, random_));
  }
  if (until >= request_.deadline) return GiveUp();
  rounds_ += leaderless_ ? 0 : 1;
  for (Candidate& candidate : candidates_) {
    candidate.shut = candidate.shut && !BreakerOf(candidate.node).WouldAdmit(now);
    candidate.spent = false;
  }
  looked_up_ = progress_ = false;
  return Wait{until};
}

TimePoint CallPlan::NextQuestion(TimePoint now) const {
  const Duration pace = options_.primary_pace;
  return now + BackoffDelay({pace, pace}, 0, random_);
}

bool CallPlan::OthersMayLead() const { return replicated_ && NeedsPrimary(); }

bool CallPlan::NeedsPrimary() const {
  return IsWrite(request_.op) || request_.policy.preference == ReadPreference::kPrimary;
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
  if (redirects_followed_ < options_.redirects_max || IsPlanted(Bug::kHopBoundOff)) {
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
  leaderless_ = NeedsPrimary() && look_up.claim.has_value() && look_up.claim->primary == kNoNode;
  doubt_ = doubt_ || leaderless_;
  patient_ = patient_ || leaderless_;
  replicated_ = replicated_ || leaderless_;
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
  replicated_ = replicated_ || route.replica_count > 0;
  assigned_ = true;
  create_ = false;
  why_ = why;
}

// The time to check on a try has come.
CallPlan::Action CallPlan::WhileSlow(TimePoint now) {
  if ((options_.hedged_reads || Probing()) && !IsWrite(request_.op)) {
    if (auto hedge = Hedge(now)) return *std::move(hedge);
  }
  if (asking_ || (looked_up_ && !leaderless_) || now >= request_.deadline) return Await{};
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
  const std::string_view why = leaderless_        ? "its holders have no primary at the moment"
                               : last_error_.ok() ? "those who may do not answer"
                                                  : TextOf(last_error_);
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
// That goes for a try that hangs, too: its bytes may arrive when a cut has healed.
CallPlan::Action CallPlan::End(const absl::Status& status) {
  const bool maybe_done = maybe_done_ || (IsWrite(request_.op) && !under_way_.empty());
  if (!maybe_done || CodeOf(status) == ErrorCode::kDeadlineExceeded) return Finish{status};
  return Finish{Error(ErrorCode::kUndetermined,
                      fmt::format("the write to space '{}' may have been carried out: {}",
                                  request_.space, TextOf(status)))};
}

}  // namespace engram::routing
