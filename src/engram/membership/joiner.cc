#include "engram/membership/joiner.h"

#include <algorithm>
#include <utility>

#include "engram/base/error.h"

namespace engram::membership {
namespace {

constexpr size_t kUndialableMax = 3;  // of the times that others were asked

}  // namespace

Joiner::Joiner(JoinerOptions options, TimePoint now)
    : options_(std::move(options)), started_(now), ask_at_(now), ask_period_(options_.ask_period) {
  if (options_.cluster_id.empty() && !options_.has_seeds) End(Found{});
}

void Joiner::SetAddresses(std::vector<std::string> addresses, TimePoint now) {
  std::deque<std::string> next;
  // Those that were to be asked next stay first.
  for (const std::string& address : waiting_) {
    if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) {
      next.push_back(address);
    }
  }
  const bool grown = next.size() < addresses.size();
  for (std::string& address : addresses) {
    if (std::find(next.begin(), next.end(), address) == next.end()) {
      next.push_front(std::move(address));
    }
  }
  waiting_ = std::move(next);
  std::erase_if(errors_, [&](const auto& error) {
    return std::find(waiting_.begin(), waiting_.end(), error.first) == waiting_.end();
  });
  if (!grown) return;
  ask_at_ = std::min(ask_at_, now);
  ask_period_ = options_.ask_period;
}

void Joiner::OnAnswer(const std::string& address, JoinAnswer answer, TimePoint now) {
  if (done_) return;
  OnAskOver(address);
  errors_.erase(address);
  if (answer.cluster_id.empty()) {
    if (answer.bootstrap && answer.node < options_.self) HoldUp(now);
    return FoundIfNobodyIsThere();
  }
  if (!options_.cluster_id.empty() && answer.cluster_id != options_.cluster_id) return;
  End(Joined{address, std::move(answer)});
}

void Joiner::OnError(const std::string& address, const absl::Status& status) {
  if (done_) return;
  OnAskOver(address);
  errors_[address] = status;
  // A member is not sent away by a stranger who has come to a place where it once knew a friend.
  const ErrorCode code = CodeOf(status);
  const bool is_new = options_.cluster_id.empty();
  const bool foreign = code == ErrorCode::kInvalidArgument && is_new;
  // Who cannot be dialled may have been slow to listen; but not for long.
  if (code == ErrorCode::kInvalidEndpoint) {
    undialable_at_.insert(asked_at_);
    HoldUp(asked_at_);  // only a member says so
  }
  // A member may be behind a cut in one direction: what it holds is better served than not.
  const bool undialable = undialable_at_.size() >= kUndialableMax && is_new;
  if (foreign || undialable) return End(Refused{status});
  FoundIfNobodyIsThere();
}

void Joiner::OnAskOver(const std::string& address) {
  const auto asked = in_flight_.find(address);
  if (asked != in_flight_.end()) in_flight_.erase(asked);
}

void Joiner::HoldUp(TimePoint now) {
  held_up_at_ = now;
  if (std::exchange(last_look_, false)) ask_at_ = now + ask_period_;
}

void Joiner::FoundIfNobodyIsThere() {
  if (last_look_ && in_flight_.empty()) End(Found{});
}

bool Joiner::MayFound(TimePoint now) const {
  if (!options_.bootstrap || !options_.cluster_id.empty()) return false;
  if (now - started_ < options_.bootstrap_after) return false;
  return held_up_at_ == TimePoint::min() || now - held_up_at_ >= options_.bootstrap_after;
}

void Joiner::Tick(TimePoint now) {
  if (done_ || now < ask_at_) return;
  asked_at_ = now;
  if (MayFound(now)) return LookOnceMore();
  ask_at_ = now + ask_period_;
  ask_period_ = std::min(2 * ask_period_, options_.ask_period_max);
  AskNext(options_.ask_fanout);
}

void Joiner::LookOnceMore() {
  last_look_ = true;
  ask_at_ = kNever;
  AskNext(waiting_.size());
  FoundIfNobodyIsThere();
}

void Joiner::AskNext(size_t count) {
  for (size_t i = 0; i < std::min(count, waiting_.size()); ++i) {
    in_flight_.insert(waiting_.front());
    outputs_.emplace_back(Ask{waiting_.front()});
    waiting_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

TimePoint Joiner::NextWake() const { return done_ ? kNever : ask_at_; }

std::vector<Joiner::Output> Joiner::TakeOutput() { return std::exchange(outputs_, {}); }

}  // namespace engram::membership
