#include "engram/replication/failover.h"

#include <algorithm>
#include <utility>

#include "engram/base/planted.h"

namespace engram::replication {
namespace {

std::vector<NodeId> Without(std::vector<NodeId> holders, const NodeId& self) {
  holders.erase(std::remove(holders.begin(), holders.end(), self), holders.end());
  return holders;
}

}  // namespace

Failover::Failover(NodeId self, std::vector<NodeId> holders, const HolderState& state,
                   const FailoverOptions& options, std::mt19937_64& random, TimePoint now)
    : self_(std::move(self)),
      holders_(std::move(holders)),
      others_(Without(holders_, self_)),
      options_(options),
      random_(random),
      state_(state),
      lease_(options.lease, others_),
      contact_(options.lease, now),
      next_heartbeat_(now),
      next_canvass_(now),
      counter_seen_(state.promised()) {}

void Failover::Step(const NodeId& from, const FailoverMessage& message, TimePoint now) {
  if (std::find(others_.begin(), others_.end(), from) == others_.end()) return;
  std::visit([&](const auto& m) { On(from, m, now); }, message);
}

void Failover::Tick(TimePoint now) {
  if (IsPrimary()) {
    if (now >= next_heartbeat_) BeatHeart(now);
  } else if (HasCopy()) {
    TryToReplace(now);
  }
}

void Failover::TryToReplace(TimePoint now) {
  if (!contact_.MayPromise(now)) return;
  if (turn_.heard != contact_.heard_at()) turn_ = {contact_.heard_at(), now + WaitForTurn()};
  if (now < std::max(turn_.at, next_canvass_)) return;
  StartCanvass(std::max(counter_seen_, state_.promised()) + 1, now);
}

Duration Failover::WaitForTurn() const {
  Duration wait{};
  for (const NodeId& holder : holders_) {
    if (holder == self_) break;
    if (holder != state_.epoch().primary) wait += options_.turn;
  }
  return wait;
}

TimePoint Failover::NextWake() const {
  if (IsPrimary()) return next_heartbeat_;
  if (!HasCopy()) return kNever;
  const TimePoint lost = contact_.refused() ? TimePoint::min() : contact_.due();
  const bool has_turn = turn_.heard == contact_.heard_at();
  return std::max({next_canvass_, lost, has_turn ? turn_.at : lost});
}

std::vector<Failover::Output> Failover::TakeOutput() { return std::exchange(output_, {}); }

void Failover::Persisted(const HolderState& state, const Version& position, TimePoint now) {
  if (granted_ && granted_->counter == state.promised()) {
    SendTo(granted_->to, Promise{granted_->counter, position, copy_});
    granted_.reset();
  }
  // Its copy may have become incomplete since it began.
  if (!HasCopy()) collecting_.reset();
  if (collecting_ && collecting_->counter == state.promised()) {
    SendToOthers(AskPromise{collecting_->counter, holders_, collecting_->handed_over});
    collecting_->count.Add(self_, position);
    AppointIfMajorityPromised(now);
  }
}

void Failover::Create(TimePoint now) {
  if (state_.MayPromise(1)) StartCollecting(1, now);
}

void Failover::HandOverTo(const NodeId& to, TimePoint now) {
  if (!IsPrimary() || std::find(others_.begin(), others_.end(), to) == others_.end()) return;
  state_.Promise(std::max(counter_seen_, state_.promised()) + 1, to);
  Store();
  canvassing_.reset();
  collecting_.reset();
  contact_.Promised(now);
  handing_over_to_ = to;
}

void Failover::CompleteHandOver(const Version& position) {
  if (handing_over_to_) SendTo(*handing_over_to_, HandOver{state_.promised(), position});
}

bool Failover::Hears(const NodeId& from, const Epoch& epoch, TimePoint now) {
  if (epoch.primary != from || std::find(others_.begin(), others_.end(), from) == others_.end()) {
    return false;
  }
  if (IsPlanted(Bug::kNoStepDown) && IsPrimary()) return false;
  if (!state_.Accepts(epoch)) {
    Fence(from);
    return false;
  }
  if (epoch != state_.epoch()) Follow(epoch, now);
  contact_.Heard(now);
  return true;
}

void Failover::On(const NodeId& from, const Heartbeat& heartbeat, TimePoint now) {
  if (!Hears(from, heartbeat.epoch, now)) return;
  SendTo(from, HeartbeatAnswer{heartbeat.epoch, heartbeat.sent, false, {}, copy_});
}

void Failover::On(const NodeId& from, const HeartbeatAnswer& answer, TimePoint now) {
  if (answer.sent > now) return;  // by a clock that the machine had before it was booted anew
  if (IsPrimary() && answer.epoch == state_.epoch()) {
    if (answer.copy == CopyState::kForgetful) return lease_.AnsweredForgetful(from, answer.sent);
    lease_.Answered(from, IsPlanted(Bug::kLeaseFromAnswer) ? now : answer.sent);
  }
}

void Failover::On(const NodeId&, const Fenced& fenced, TimePoint now) {
  counter_seen_ = std::max(counter_seen_, fenced.promised);
  if (IsPlanted(Bug::kNoStepDown) && IsPrimary()) return;
  if (fenced.epoch > state_.epoch() && state_.Accepts(fenced.epoch) &&
      fenced.epoch.primary != self_) {
    return Follow(fenced.epoch, now);
  }
  // A holder is bound to somebody who never took office. Only a larger counter of ours brings it
  // back (decision 9).
  if (IsPrimary() && fenced.promised > state_.promised() && now >= next_canvass_) {
    StartCanvass(counter_seen_ + 1, now);
  }
}

void Failover::On(const NodeId& from, const Canvass& canvass, TimePoint now) {
  if (!state_.MayPromise(canvass.counter)) return Fence(from);
  if (!WouldPromiseTo(from, canvass.counter, now)) return;
  SendTo(from, WouldPromise{canvass.counter, copy_});
}

void Failover::On(const NodeId& from, const WouldPromise& answer, TimePoint now) {
  if (!canvassing_ || canvassing_->counter != answer.counter) return;
  const bool forgetful = answer.copy == CopyState::kForgetful;
  (forgetful ? canvassing_->forgetful : canvassing_->would).insert(from);
  CollectIfMajorityWould(now);
}

void Failover::On(const NodeId& from, const AskPromise& request, TimePoint now) {
  if (!state_.MayPromise(request.counter)) return Fence(from);
  if (!request.primary_promised && !WouldPromiseTo(from, request.counter, now)) return;
  state_.Promise(request.counter, from);
  granted_ = Granted{request.counter, from};
  Store();
  // Its own position may be history by the time that it appoints (decision 2).
  collecting_.reset();
  canvassing_.reset();
  handing_over_to_.reset();
  contact_.Promised(now);
}

void Failover::On(const NodeId& from, const Promise& promise, TimePoint now) {
  if (!collecting_ || collecting_->counter != promise.counter) return;
  collecting_->count.Add(from, promise.position, promise.copy);
  AppointIfMajorityPromised(now);
}

void Failover::On(const NodeId& from, const Appoint& appoint, TimePoint now) {
  if (HasCopy() && state_.MayTakeOffice(appoint.counter, from)) TakeOffice(now);
}

void Failover::On(const NodeId& from, const HandOver& hand_over, TimePoint now) {
  if (!HasCopy()) return;
  if (from != state_.epoch().primary || !state_.MayPromise(hand_over.counter)) return;
  StartCollecting(hand_over.counter, now);
  collecting_->handed_over = true;
  collecting_->count.Add(from, hand_over.position);
}

// Decision 11. A primary that has its lease keeps its office; without, it may always give it up.
bool Failover::WouldPromiseTo(const NodeId& from, uint64_t counter, TimePoint now) const {
  if (!state_.MayPromise(counter)) return false;
  if (IsPrimary()) return !lease_.IsValid(now);
  // Of a space that is being created, nobody was primary before.
  if (state_.promised() == 0 && HasCopy()) return true;
  return from == state_.epoch().primary || contact_.MayPromise(now);
}

void Failover::StartCanvass(uint64_t counter, TimePoint now) {
  std::uniform_int_distribution<Duration::rep> extra(0, options_.retry.count());
  next_canvass_ = now + options_.retry + Duration(extra(random_));
  canvassing_ = Canvassing{counter, {}, {}};
  SendToOthers(Canvass{counter, holders_});
  CollectIfMajorityWould(now);
}

void Failover::CollectIfMajorityWould(TimePoint now) {
  const size_t would = canvassing_->would.size() + 1;
  const bool all = would + canvassing_->forgetful.size() == holders_.size();
  if (would <= holders_.size() / 2 && !all) return;
  const uint64_t counter = canvassing_->counter;
  canvassing_.reset();
  if (!state_.MayPromise(counter)) return;
  // Between asking and now it may have heard the primary again.
  if (!IsPrimary() && !contact_.MayPromise(now)) return;
  StartCollecting(counter, now);
}

// Its own promise counts when it is durable, like any other; the others are asked then.
void Failover::StartCollecting(uint64_t counter, TimePoint now) {
  state_.Promise(counter, self_);
  canvassing_.reset();
  granted_.reset();
  handing_over_to_.reset();
  contact_.Promised(now);
  collecting_ = Collecting{counter, PromiseCount(holders_)};
  Store();
}

void Failover::AppointIfMajorityPromised(TimePoint now) {
  const std::optional<NodeId> chosen = collecting_->count.MostCaughtUp(self_);
  if (!chosen) return;
  const uint64_t counter = collecting_->counter;
  collecting_.reset();
  if (*chosen != self_) return SendTo(*chosen, Appoint{counter});
  if (state_.MayTakeOffice(counter, self_)) TakeOffice(now);
}

void Failover::TakeOffice(TimePoint now) {
  state_.TakeOffice(self_);
  collecting_.reset();
  canvassing_.reset();
  handing_over_to_.reset();
  lease_ = PrimaryLease(options_.lease, others_);
  output_.emplace_back(TookOffice{state_.epoch()});
  BeatHeart(now);
}

void Failover::Follow(const Epoch& epoch, TimePoint now) {
  state_.Follow(epoch);
  Store();
  collecting_.reset();
  canvassing_.reset();
  granted_.reset();
  handing_over_to_.reset();
  counter_seen_ = std::max(counter_seen_, epoch.counter);
  contact_.Heard(now);
  output_.emplace_back(Follows{epoch});
}

void Failover::BeatHeart(TimePoint now) {
  next_heartbeat_ = now + options_.heartbeat;
  SendToOthers(Heartbeat{state_.epoch(), now, {}});
}

void Failover::Fence(const NodeId& from) {
  SendTo(from, Fenced{state_.promised(), state_.epoch()});
}

void Failover::SendTo(const NodeId& to, const FailoverMessage& message) {
  output_.emplace_back(Send{to, message});
}

void Failover::SendToOthers(const FailoverMessage& message) {
  for (const NodeId& other : others_) SendTo(other, message);
}

}  // namespace engram::replication
