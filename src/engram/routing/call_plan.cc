#include "engram/routing/call_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/base/optimization.h"

namespace engram::routing {
namespace {

std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

// What to do about an error of one try. What was not begun may always be tried again; what may have
// been carried out is never simply failed.
RetryClass Classify(const Outcome& outcome) {
  RetryClass by_code = InfoOf(CodeOf(outcome.status)).retry;
  if (outcome.delivery == Delivery::kUndetermined) return RetryClass::kUndetermined;
  if (outcome.delivery == Delivery::kNotSent && by_code == RetryClass::kUndetermined) {
    return RetryClass::kRetriable;
  }
  return by_code;
}

}  // namespace

CallPlan::CallPlan(Operation op, SpaceId space, Decision decision, TimePoint deadline,
                   const CallPlanOptions& options, std::mt19937_64& random)
    : op_(op),
      space_(std::move(space)),
      deadline_(deadline),
      options_(options),
      random_(random),
      version_(std::move(decision.version)),
      why_(decision.source == RouteSource::kRing ? "proposed by the ring" : "primary") {
  ABSL_HARDENING_ASSERT(!decision.candidates.empty());
  candidates_.reserve(decision.candidates.size());
  for (NodeId& node : decision.candidates) candidates_.push_back({std::move(node), 0});
}

CallPlan::Action CallPlan::Start(TimePoint now) { return Next(now); }

CallPlan::Action CallPlan::OnTimer(TimePoint now) {
  why_ = "tried again";
  return Next(now);
}

CallPlan::Action CallPlan::OnOutcome(const Outcome& outcome, TimePoint now) {
  if (outcome.status.ok()) {
    Record("ok", outcome.status, now);
    return Finish{absl::OkStatus()};
  }
  last_error_ = outcome.status;
  switch (Classify(outcome)) {
    case RetryClass::kFatal:
      Record("failed", outcome.status, now);
      return End(outcome.status);
    case RetryClass::kRedirect:
      Record("redirect", outcome.status, now);
      return Follow(outcome, now);
    case RetryClass::kUndetermined:
      Record("undetermined", outcome.status, now);
      maybe_done_ = maybe_done_ || IsWrite(op_);
      break;
    case RetryClass::kRetriable:
      Record("failed", outcome.status, now);
      break;
  }
  why_ = "fallback";
  return Next(now);
}

// Tries the candidate that was asked least often; all of them once more after a wait.
CallPlan::Action CallPlan::Next(TimePoint now) {
  if (now >= deadline_) return EndAtDeadline();
  Candidate* next = LeastTried();
  if (next->tries >= options_.tries_per_node_max) return GiveUp();
  if (next->tries <= rounds_) return SendTo(*next, now);
  TimePoint until = now + BackoffDelay(options_.backoff, rounds_++, random_);
  if (until >= deadline_) return GiveUp();
  return Wait{until};
}

CallPlan::Action CallPlan::SendTo(Candidate& candidate, TimePoint now) {
  bool cut_short = !IsWrite(op_) && OthersUntried(candidate);
  ++candidate.tries;
  asked_ = candidate.node;
  asked_at_ = now;
  TimePoint limit = cut_short ? std::min(deadline_, now + options_.read_try_limit) : deadline_;
  return Send{candidate.node, limit, redirects_ + 1, version_};
}

CallPlan::Action CallPlan::Follow(const Outcome& outcome, TimePoint now) {
  if (!outcome.redirect.has_value() || outcome.redirect->version <= version_) {
    return End(Annotated(ErrorCode::kNoAssignment,
                         fmt::format("node {} does not hold space '{}' and knows no newer holder",
                                     asked_.value(), space_.value())));
  }
  if (++redirects_ > options_.redirects_max) {
    return End(Annotated(ErrorCode::kAllReplicasFailed,
                         fmt::format("space '{}' was not found after {} redirects", space_.value(),
                                     options_.redirects_max)));
  }
  version_ = outcome.redirect->version;
  candidates_.assign(1, {outcome.redirect->primary, 0});
  if (!IsWrite(op_)) {
    for (const NodeId& replica : outcome.redirect->replicas) candidates_.push_back({replica, 0});
  }
  rounds_ = 0;
  why_ = "redirected";
  return Next(now);
}

CallPlan::Action CallPlan::GiveUp() {
  return End(Annotated(ErrorCode::kAllReplicasFailed,
                       fmt::format("no holder of space '{}' could serve it: {}", space_.value(),
                                   TextOf(last_error_))));
}

CallPlan::Action CallPlan::EndAtDeadline() {
  std::string message =
      fmt::format("the deadline passed before space '{}' answered", space_.value());
  if (!last_error_.ok()) message += ": " + TextOf(last_error_);
  return End(Annotated(ErrorCode::kDeadlineExceeded, message));
}

// Every error ends here: once a write may have been carried out, no later error makes it "failed".
CallPlan::Action CallPlan::End(const absl::Status& status) {
  if (!maybe_done_ || CodeOf(status) == ErrorCode::kDeadlineExceeded) return Finish{status};
  return Finish{Annotated(ErrorCode::kUndetermined,
                          fmt::format("the write to space '{}' may have been carried out: {}",
                                      space_.value(), TextOf(status)))};
}

void CallPlan::Record(std::string_view outcome, const absl::Status& status, TimePoint now) {
  attempts_.push_back({asked_, outcome, why_, status, now - asked_at_});
}

CallPlan::Candidate* CallPlan::LeastTried() {
  return &*std::min_element(
      candidates_.begin(), candidates_.end(),
      [](const Candidate& a, const Candidate& b) { return a.tries < b.tries; });
}

bool CallPlan::OthersUntried(const Candidate& candidate) const {
  return std::any_of(candidates_.begin(), candidates_.end(), [&](const Candidate& other) {
    return &other != &candidate && other.tries <= candidate.tries;
  });
}

absl::Status CallPlan::Annotated(ErrorCode code, const std::string& message) const {
  ErrorDetail detail;
  detail.code = code;
  detail.space = space_.value();
  detail.node = asked_.value();
  return MakeError(detail, message);
}

}  // namespace engram::routing
