#include "engram/membership/swim.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/base/macros.h"
#include "engram/base/error.h"

namespace engram::membership {
namespace {

Duration Share(Duration d, double share) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(d.count()) * share));
}

}  // namespace

absl::Status Check(const SwimOptions& o) {
  constexpr Duration kZero = Duration::zero();
  const std::tuple<const char*, bool, const char*> rules[] = {
      {"probe-period", o.probe_period > kZero, "not above zero"},
      {"ack-timeout", o.ack_timeout > kZero && o.ack_timeout < o.probe_period,
       "not between zero and the probe period"},
      {"indirect-probes", o.indirect_probes <= 16, "above 16"},
      {"awareness-max", o.awareness_max >= 0 && o.awareness_max <= 8, "not between 0 and 8"},
      {"nack-after", o.nack_after > 0 && o.nack_after < 1, "not between 0 and 1"},
      {"suspicion-multiplier", o.suspicion.multiplier >= 1, "below 1"},
      {"suspicion-longest-factor", o.suspicion.longest_factor >= 1, "below 1"},
      {"datagram-bytes-max", o.datagram_bytes_max >= 1'000 && o.datagram_bytes_max <= 65'000,
       "not between 1,000 and 65,000"},
      {"gossip-period", o.gossip_period > kZero, "not above zero"},
      {"gossip-fanout", o.gossip_fanout >= 1, "below 1"},
      {"retransmit-multiplier", o.retransmit_multiplier >= 1, "below 1"},
      {"exchange-period", o.exchange_period > kZero, "not above zero"},
      {"heal-period", o.heal_period > kZero, "not above zero"},
      {"heal-members", o.heal_members >= 1, "below 1"},
      {"late-max", o.late_max > kZero, "not above zero"},
  };
  for (const auto& [field, holds, message] : rules) {
    if (!holds) return InvalidArgument(field, message);
  }
  return absl::OkStatus();
}

Swim::Swim(Self self, const SwimOptions& options, std::mt19937_64& random, TimePoint now,
           Rider* rider)
    : options_(options),
      self_(std::move(self)),
      random_(random),
      rider_(rider),
      table_(options.table),
      awareness_(options.awareness_max),
      sequence_(static_cast<uint32_t>(random())),
      heard_at_(now),
      // Nodes that start together shall not act together for ever.
      probe_ends_(now + UpTo(options.probe_period)),
      heal_at_(now + UpTo(options.heal_period)),
      exchange_at_(now + UpTo(options.exchange_period)),
      exchanged_at_(now) {
  ABSL_HARDENING_ASSERT(Check(options).ok());
  table_.Apply({self_.id, {self_.incarnation, MemberState::kAlive}, self_.info, {}}, now);
  wake_ = NextWake();
}

void Swim::OnDatagram(std::string_view bytes, const std::string& from, TimePoint now) {
  Datagram read;
  const Verdict verdict = ReadDatagram(bytes, self_.cluster, read);
  ++counters_.datagrams[static_cast<size_t>(verdict)];
  if (verdict != Verdict::kRead) return;
  if (read.sender == self_.id) {
    ++counters_.conflicts;
    return;
  }
  // A state comes over RPC only: MergeFullState() is softer on what it says.
  if (std::holds_alternative<FullState>(read.message)) {
    ++counters_.misdirected;
    return;
  }
  NoticePause(now);
  if (table_.Find(read.sender) != nullptr) Hear(read.sender, now);
  TakeAll(std::move(read.updates), read.sender, now);
  HearRider(read.rider, now);
  std::visit([&](const auto& message) { On(message, read.sender, from, now); }, read.message);
  introduce_ = false;
  wake_ = NextWake();
}

void Swim::On(const Ping& ping, const NodeId& sender, const std::string& from, TimePoint) {
  if (ping.target != self_.id || leaving_) {
    ++counters_.misdirected;
    return;
  }
  SendTo(sender, from, Ack{ping.sequence});
}

void Swim::On(const Ack& ack, const NodeId& sender, const std::string&, TimePoint) {
  if (probe_.has_value()) probe_->OnAck(ack.sequence, sender);
  if (std::optional<Relay> relay = relays_.OnAck(ack.sequence, sender)) {
    SendTo(relay->asked_by, relay->reply_to, Ack{relay->asked_as});
  }
}

void Swim::On(const PingRequest& request, const NodeId& sender, const std::string& from,
              TimePoint now) {
  // Only members are asked, and at their own addresses: nobody makes this node send to strangers.
  const Member* target = table_.Find(request.target);
  const uint32_t sequence = ++sequence_;
  Relay relay{from, sender, request.sequence, request.target, now + request.nack_after};
  if (target == nullptr || request.target == self_.id || !relays_.Add(sequence, std::move(relay))) {
    ++counters_.relays_refused;
    SendTo(sender, from, Nack{request.sequence});
    return;
  }
  SendTo(target->id, target->info.gossip_address, Ping{sequence, target->id});
}

void Swim::On(const Nack& nack, const NodeId& sender, const std::string&, TimePoint) {
  if (probe_.has_value()) probe_->OnNack(nack.sequence, sender);
}

void Swim::OnFallback(uint32_t sequence, TimePoint now) {
  NoticePause(now);
  if (!probe_.has_value() || probe_->sequence() != sequence || probe_->answered()) return;
  ++counters_.reached_by_rpc_only;
  probe_->OnReached();
  Hear(probe_->target(), now);
  wake_ = NextWake();
}

void Swim::Hear(const NodeId& member, TimePoint now) {
  heard_at_ = now;
  unanswered_.erase(member);
  if (probe_.has_value()) probe_->OnHeard(member);
  failed_since_heard_ = false;
}

void Swim::Tick(TimePoint now) {
  NoticePause(now);
  Work(now);
  wake_ = NextWake();
}

void Swim::Work(TimePoint now) {
  SendNacks(now);
  if (now >= gossip_at_) GossipNow(now);
  if (leaving_) return;
  if (probe_.has_value() && now >= probe_->indirect_at()) ProbeIndirectly(now);
  if (now >= probe_ends_) {
    EndProbe(now);
    StartProbe(now);
  }
  if (now >= suspicion_due_) DeclareDead(now);
  if (now >= heal_at_) ProbeDead(now);
  if (now >= exchange_at_) ExchangeWithOne(now);
}

TimePoint Swim::NextWake() const {
  const TimePoint sends = std::min(gossip_at_, relays_.NextDue());
  if (leaving_) return sends;
  const TimePoint probes = std::min(probe_ends_, probe_ ? probe_->indirect_at() : kNever);
  return std::min({sends, probes, suspicion_due_, heal_at_, exchange_at_});
}

void Swim::NoticePause(TimePoint now) {
  if (wake_ == kNever || now - wake_ <= options_.late_max) return;
  const Duration late = now - wake_;
  ++counters_.pauses;
  awareness_.Add(1);
  if (probe_.has_value()) probe_->Postpone(late);
  probe_ends_ += late;
  for (auto& [id, suspicion] : suspicions_) suspicion.Postpone(late);
  if (suspicion_due_ != kNever) suspicion_due_ += late;
  heard_at_ += late;
  relays_.Clear();  // who asked has long given up
  wake_ = now;
}

void Swim::StartProbe(TimePoint now) {
  probe_ends_ = now + awareness_.Scale(options_.probe_period);
  const Member* target = order_.Next(table_, random_);
  if (target == nullptr) return;
  ++counters_.probes;
  probe_.emplace(++sequence_, *target, now + awareness_.Scale(options_.ack_timeout));
  SendTo(target->id, target->info.gossip_address, Ping{sequence_, target->id});
}

void Swim::ProbeIndirectly(TimePoint now) {
  const Member* found = table_.Find(probe_->target());
  if (found == nullptr) return probe_.reset();
  const Member& target = *found;
  const std::vector<const Member*> helpers = Pick(options_.indirect_probes, [&](const Member& m) {
    return m.standing.state == MemberState::kAlive && m.id != target.id;
  });
  std::vector<NodeId> asked;
  for (const Member* helper : helpers) asked.push_back(helper->id);
  probe_->Ask(std::move(asked));
  const PingRequest request{probe_->sequence(), target.id,
                            Share(probe_ends_ - now, options_.nack_after)};
  for (const Member* helper : helpers) SendTo(helper->id, helper->info.gossip_address, request);
  outputs_.emplace_back(
      StartFallback{probe_->sequence(), target.id, target.info.rpc_address, probe_ends_});
}

void Swim::EndProbe(TimePoint now) {
  if (!probe_.has_value()) return;
  const Probe ended = *std::exchange(probe_, std::nullopt);
  const Member* target = table_.Find(ended.target());
  // It went while it was probed, and its silence says nothing.
  if (target == nullptr || target->standing.state == MemberState::kLeft) return;
  awareness_.Add(ended.AwarenessDelta());
  if (ended.answered()) return;
  ++counters_.probes_failed;
  failed_since_heard_ = true;
  for (const NodeId& member : ended.unheard()) unanswered_[member] = now;
  // It may have been found dead meanwhile, or have contradicted what others said of it.
  if (target->IsLive() && target->standing.incarnation == ended.incarnation()) {
    Suspect(*target, {self_.id}, now);
  }
}

void Swim::SendNacks(TimePoint now) {
  for (const Relay& relay : relays_.TakeDue(now)) {
    SendTo(relay.asked_by, relay.reply_to, Nack{relay.asked_as});
  }
}

void Swim::GossipNow(TimePoint now) {
  gossip_at_ = kNever;
  const auto told = Pick(options_.gossip_fanout, [&](const Member& m) {
    const bool just_died =
        m.standing.state == MemberState::kDead && now - m.since < options_.gossip_to_dead_for;
    return m.IsLive() || just_died;
  });
  // Who joins later gets the full state.
  if (told.empty()) queue_.Clear();
  for (const Member* member : told) {
    if (!HasNews()) return;
    SendTo(member->id, member->info.gossip_address, Gossip{});
  }
  if (!told.empty() && HasNews()) gossip_at_ = now + options_.gossip_period;
}

void Swim::ScheduleHealing(TimePoint now) {
  const double fewer = std::max(
      1.0, static_cast<double>(table_.live()) / static_cast<double>(options_.heal_members));
  const double jitter = std::uniform_real_distribution<double>(0.5, 1.5)(random_);
  heal_at_ = now + Share(options_.heal_period, fewer * jitter);
}

// What is held against it goes along, and if it is there it contradicts.
void Swim::ProbeDead(TimePoint now) {
  ScheduleHealing(now);
  for (const Member* dead :
       Pick(1, [](const Member& m) { return m.standing.state == MemberState::kDead; })) {
    SendTo(dead->id, dead->info.gossip_address, Ping{++sequence_, dead->id});
  }
}

void Swim::ExchangeWithOne(TimePoint now) {
  exchange_at_ = now + options_.exchange_period;
  table_.Forget(now);
  std::erase_if(unanswered_,
                [&](const auto& u) { return now - u.second >= options_.unanswered_for; });
  const std::optional<NodeId> with = std::exchange(came_back_, std::nullopt);
  for (const Member* member : Pick(1, [&](const Member& m) {
         return m.standing.state == MemberState::kAlive && (!with.has_value() || m.id == *with);
       })) {
    exchanged_at_ = now;
    outputs_.emplace_back(StartExchange{member->id, member->info.rpc_address});
  }
}

// Suspicion alone would be slow to tell: who is cut off probes ever more rarely, since it doubts
// itself. So the helpers that were silent count too.
Reach Swim::ReachAt(TimePoint now) const {
  const bool silence = failed_since_heard_ && now - heard_at_ >= options_.silence_max;
  if (silence) return {1, table_.total()};
  size_t unanswered = 0;
  for (const auto& [id, since] : unanswered_) {
    const Member* member = table_.Find(id);
    const bool alive = member != nullptr && member->standing.state == MemberState::kAlive;
    if (alive && now - since < options_.unanswered_for) ++unanswered;
  }
  return {table_.CountOf(MemberState::kAlive) - unanswered, table_.total()};
}

std::vector<Swim::Output> Swim::TakeOutput() { return std::exchange(outputs_, {}); }

}  // namespace engram::membership
