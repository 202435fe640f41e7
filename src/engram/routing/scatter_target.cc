#include "engram/routing/scatter_target.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/base/macros.h"
#include "engram/base/error.h"

namespace engram::routing {
namespace {

// What a node may ask for at most.
constexpr Duration kPushBackMax = std::chrono::seconds(60);

// As many as a request for one space takes (call_plan.cc): with their back-off they last longer
// than the answer to a look-up is kept, so that one that came in the middle of a move does not
// decide.
constexpr int kRoundsWhenDenied = 6;

absl::Status CutOff() {
  ErrorDetail detail;
  detail.code = ErrorCode::kNoLocalData;
  detail.retry_after = kPartitionPause;
  return MakeError(detail, "this node is cut off from the cluster and does not hold it");
}

absl::Status NobodyHolds(const LookUp& look_up) {
  if (look_up.answered >= look_up.asked) {
    return MakeError(ErrorCode::kNoAssignment, "there is no such space");
  }
  return MakeError(ErrorCode::kAllReplicasFailed,
                   fmt::format("no node that answers holds it, and {} did not answer",
                               look_up.asked - look_up.answered));
}

}  // namespace

TimePoint SharedBackoff::At(const BackoffOptions& options, int rounds, Duration asked_for,
                            TimePoint now, std::mt19937_64& random) {
  if (now != std::exchange(now_, now)) drawn_.clear();
  auto [at, is_new] = drawn_.try_emplace(std::pair(rounds, asked_for));
  if (!is_new) return at->second;
  at->second = now + BackoffDelay(options, rounds, random);
  if (asked_for > Duration::zero()) {
    const Duration pause = BackoffDelay({asked_for * 2, asked_for * 2}, 0, random);
    at->second = std::max(at->second, now + pause);
  }
  return at->second;
}

ScatterTarget::ScatterTarget(const Wanted& wanted)
    : policy_(wanted.policy),
      version_(wanted.decision.version),
      assigned_(wanted.decision.source == RouteSource::kAssignment),
      confined_(wanted.only_there || wanted.decision.strategy == Strategy::kLocalOnly),
      doubt_(wanted.decision.candidates.empty()) {
  for (NodeIndex node : wanted.decision.candidates) holders_.push_back({node});
  result_.error = MakeError(ErrorCode::kNoAssignment, "no holder is known");
  if (confined_ && holders_.empty()) Miss(CutOff());
}

ScatterTarget::Move ScatterTarget::Next(ScatterRules& rules, TimePoint now) {
  if (fresh_ > 0 || now < not_before_) return {};
  if (const Holder* holder = Untried(rules)) return Ask(*holder, why_);
  if (MayLookUp(now)) {
    looked_up_ = asking_ = true;
    return {.kind = Move::Kind::kLookUp};
  }
  if (under_way_ > 0 || asking_) return {};
  if (const Holder* holder = LastHolder(rules)) return Ask(*holder, ScatterReason::kLastHolder);
  NextRound(rules, now);
  return {};
}

// While the only holder that is left hangs, again and again, less and less often: the space may
// have been on its way when everybody was asked.
bool ScatterTarget::MayLookUp(TimePoint now) const {
  if (!doubt_ || asking_ || confined_) return false;
  return !looked_up_ || (under_way_ > 0 && now >= look_again_at_);
}

ScatterTarget::Holder* ScatterTarget::Find(NodeIndex node) {
  auto at = std::find_if(holders_.begin(), holders_.end(),
                         [node](const Holder& holder) { return holder.node == node; });
  return at == holders_.end() ? nullptr : &*at;
}

// In this round.
ScatterTarget::Holder* ScatterTarget::Untried(const ScatterRules& rules) {
  for (Holder& holder : holders_) {
    const bool tried = holder.tries > rounds_ || holder.tries >= rules.options.tries_per_node_max;
    if (!tried && !holder.Excluded()) return &holder;
  }
  return nullptr;
}

ScatterTarget::Holder* ScatterTarget::LastHolder(const ScatterRules& rules) {
  for (Holder& holder : holders_) {
    const bool alive = rules.nodes.Of(holder.node).liveness.load() == Liveness::kAlive;
    if (alive && holder.shut && !holder.refused && holder.tries == 0) return &holder;
  }
  return nullptr;
}

ScatterTarget::Move ScatterTarget::Ask(const Holder& holder, ScatterReason why) const {
  return {.kind = Move::Kind::kAsk,
          .node = holder.node,
          .why = why,
          .repeated = holder.tries > 0,
          .first = !asked_};
}

void ScatterTarget::OnSent(NodeIndex node) {
  Holder* holder = Find(node);
  ABSL_HARDENING_ASSERT(holder != nullptr);
  ++holder->tries;
  holder->shut = false;
  ++under_way_;
  ++fresh_;
  asked_ = true;
  result_.node = node;
}

void ScatterTarget::OnShut(NodeIndex node, TimePoint until) {
  Holder* holder = Find(node);
  holder->refused = holder->shut;  // the second time it was asked for a probe
  holder->shut = true;
  doubt_ = true;
  shut_until_ = std::min(shut_until_, until);
  if (!asked_) result_.node = node;
}

void ScatterTarget::OnSpent(NodeIndex node) { Find(node)->spent = true; }

void ScatterTarget::OnSlow() {
  --fresh_;
  doubt_ = true;
  why_ = ScatterReason::kFallback;
}

void ScatterTarget::OnEnded(bool was_slow) {
  --under_way_;
  if (!was_slow) --fresh_;
}

void ScatterTarget::OnAnswered(NodeIndex node) {
  settled_ = true;
  result_ = {true, node, absl::OkStatus()};
}

// Being told "not here" is no try at doing it.
void ScatterTarget::OnDenied(NodeIndex node, const absl::Status& error,
                             const std::optional<Route>& elsewhere, const ScatterRules& rules,
                             TimePoint now) {
  result_ = {false, node, confined_ ? CutOff() : error};
  doubt_ = true;
  why_ = ScatterReason::kFallback;
  if (Holder* holder = Find(node); holder != nullptr && !holder->denied) {
    holder->denied = true;
    --holder->tries;
  }
  const bool raises =
      elsewhere.has_value() && (!assigned_ || rules.nodes.Newer(elsewhere->version, version_));
  if (!raises || confined_) return;
  progress_ = true;
  if (redirects_ < rules.options.redirects_max) {
    ++redirects_;
    looked_up_ = false;
    Adopt(*elsewhere, ScatterReason::kRedirected, rules, now);
  } else {
    version_ = elsewhere->version;
  }
}

void ScatterTarget::OnFailed(NodeIndex node, const absl::Status& error, bool heard) {
  result_ = {false, node, error};
  why_ = ScatterReason::kFallback;
  // A node that answered is the right one, only busy; one that did not may be gone.
  doubt_ = doubt_ || !heard;
  Holder* holder = Find(node);
  if (holder == nullptr) return;
  holder->out = holder->out || InfoOf(CodeOf(error)).retry == RetryClass::kFatal;
}

// Only what is not older than what the request was routed by: a former owner that has not heard of
// the next one claims the space too. Replicas whose primary is silent help only whom may turn to
// them.
void ScatterTarget::OnLookUp(const LookUp& look_up, const ScatterRules& rules, TimePoint now) {
  asking_ = false;
  look_again_at_ = now + look_again_after_;
  look_again_after_ *= 2;
  const auto& found = look_up.claim.has_value() ? look_up.claim : look_up.heard;
  if (!found.has_value() && !assigned_ && under_way_ == 0) return Miss(NobodyHolds(look_up));
  const bool helps = found.has_value() && (found->primary != kNoNode || policy_.replica_fallback);
  if (!helps || (assigned_ && rules.nodes.Newer(version_, found->version))) return;
  progress_ = progress_ || !assigned_ || found->version != version_;
  Adopt(*found, ScatterReason::kFound, rules, now);
}

// Nodes that were tried already keep their count; those that denied are asked again.
void ScatterTarget::Adopt(const Route& route, ScatterReason why, const ScatterRules& rules,
                          TimePoint now) {
  const NodeList nodes =
      OrderHolders(Operation::kRecall, policy_, route, rules.nodes, now, rules.random);
  version_ = route.version;
  assigned_ = true;
  why_ = why;
  if (nodes.empty()) return;
  absl::InlinedVector<Holder, 3> holders;
  for (NodeIndex node : nodes) {
    const Holder* before = Find(node);
    holders.push_back(before == nullptr ? Holder{node} : *before);
    holders.back().denied = false;
  }
  holders_ = std::move(holders);
}

// All holders were tried as often: wait, then once more from the first.
void ScatterTarget::NextRound(ScatterRules& rules, TimePoint now) {
  const bool all_shut = std::all_of(holders_.begin(), holders_.end(),
                                    [](const Holder& holder) { return holder.shut; });
  const bool last = !progress_ && rounds_ + 1 >= RoundsMax(rules.options);
  if (all_shut || last) return GiveUp(rules, now);
  const Duration asked_for = std::min(DetailOf(result_.error).retry_after, Duration(kPushBackMax));
  const TimePoint until =
      rules.backoff.At(rules.options.backoff, rounds_, asked_for, now, rules.random);
  if (until >= rules.deadline) return GiveUp(rules, now);
  rounds_ += progress_ ? 0 : 1;
  for (Holder& holder : holders_) holder.shut = holder.refused = holder.spent = false;
  looked_up_ = progress_ = false;
  not_before_ = until;
  why_ = ScatterReason::kAgain;
}

// A node that denies was not tried, and the right one may be about to take the space over. Who has
// nobody left to ask again need not wait.
int ScatterTarget::RoundsMax(const ScatterOptions& options) const {
  auto any = [this](auto is) { return std::any_of(holders_.begin(), holders_.end(), is); };
  const bool denied = any([](const Holder& holder) { return holder.denied; });
  if (denied && !confined_) return kRoundsWhenDenied;
  const bool again = any([&](const Holder& holder) {
    return !holder.out && !holder.spent && !holder.denied &&
           holder.tries < options.tries_per_node_max;
  });
  return again ? options.tries_per_node_max : 0;
}

// A denial is for nodes to hear: for the client nobody could serve it.
absl::Status ScatterTarget::LastError() const {
  const RetryClass retry = InfoOf(CodeOf(result_.error)).retry;
  const bool denial = retry == RetryClass::kRedirect || retry == RetryClass::kLookUp;
  if (!asked_ && assigned_) {
    return MakeError(ErrorCode::kAllReplicasFailed, "those who may hold it do not answer");
  }
  if (!asked_ || !denial) return result_.error;
  return MakeError(
      ErrorCode::kAllReplicasFailed,
      fmt::format("nobody who should hold it does: {}", std::string(result_.error.message())));
}

// With the last error, if anybody was asked.
void ScatterTarget::GiveUp(const ScatterRules& rules, TimePoint now) {
  if (asked_ || holders_.empty() || shut_until_ == kNever) return Miss(LastError());
  ErrorDetail detail;
  detail.code = ErrorCode::kCircuitBreakerOpen;
  detail.retry_after = std::max(std::max(shut_until_, now) - now, rules.options.backoff.base);
  Miss(MakeError(detail, "it has failed repeatedly and is left alone for a while"));
}

void ScatterTarget::OnDeadline() {
  if (under_way_ == 0) return Miss(LastError());
  Miss(MakeError(ErrorCode::kDeadlineExceeded, "no answer within the time limit"));
}

void ScatterTarget::Miss(absl::Status error) {
  settled_ = true;
  result_.error = std::move(error);
}

}  // namespace engram::routing
