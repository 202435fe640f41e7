// Swim: what is believed of what others say, and what follows from it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engram/base/error.h"
#include "engram/membership/swim.h"

namespace engram::membership {
namespace {

bool IsAccusation(const Update& update) {
  return update.standing.state == MemberState::kSuspect ||
         update.standing.state == MemberState::kDead;
}

}  // namespace

bool Swim::MayAccuse(const NodeId& sender) const {
  const Member* member = table_.Find(sender);
  return member != nullptr && member->IsLive();
}

// Who is alive first: one that comes back and accuses in the same breath is heeded, and what is
// said of a member falls on its newest incarnation.
void Swim::TakeAll(std::vector<Update> updates, const NodeId& sender, TimePoint now) {
  std::stable_partition(updates.begin(), updates.end(),
                        [](const Update& u) { return !IsAccusation(u); });
  for (const Update& update : updates) {
    if (update.id == self_.id) {
      TakeAboutSelf(update, now);
    } else if (IsAccusation(update) && !MayAccuse(sender)) {
      ++counters_.accusations_ignored;
    } else {
      Take(update, sender, now);
    }
  }
}

void Swim::Take(const Update& update, const NodeId& sender, TimePoint now) {
  const bool is_new = table_.Find(update.id) == nullptr;
  const Change change = table_.Apply(update, now);
  const Member* member = table_.Find(update.id);
  if (member == nullptr) return;
  if (change != Change::kNone) {
    if (member->IsLive()) order_.Add(member->id, random_);
    if (change == Change::kJoined && !is_new) CameBack(*member, sender, now);
    FollowChange(change, *member, update, now);
  } else if (update.standing == member->standing) {
    Confirm(update);
    if (update.info.has_value() && *update.info != member->info) ++counters_.conflicts;
  }
}

void Swim::FollowChange(Change change, const Member& member, const Update& update, TimePoint now) {
  suspicions_.erase(member.id);
  if (member.standing.state == MemberState::kSuspect) {
    Suspicion suspicion(options_.suspicion, options_.probe_period, table_.live(), now);
    for (const NodeId& accuser : update.accusers) suspicion.Accuse(accuser);
    suspicion_due_ = std::min(suspicion_due_, suspicion.due());
    suspicions_.emplace(member.id, std::move(suspicion));
  }
  if (member.standing.state == MemberState::kAlive) unanswered_.erase(member.id);
  Spread(member, now);
  outputs_.emplace_back(Changed{change, member});
}

// Who comes back has news of its own, perhaps of half a cluster that was cut off. Whoever hears of
// it by itself exchanges states with it, of the others some, so that it is not overrun.
void Swim::CameBack(const Member& member, const NodeId& sender, TimePoint now) {
  constexpr double kFurther = 3;
  const double share = kFurther / static_cast<double>(table_.live());
  const bool chosen = std::uniform_real_distribution<double>()(random_) < share;
  if (quiet_ || leaving_ || (sender != member.id && !chosen)) return;
  came_back_ = member.id;
  exchange_at_ = std::min(exchange_at_, std::max(now, exchanged_at_ + options_.probe_period));
}

// The same word again, perhaps from others too.
void Swim::Confirm(const Update& update) {
  auto it = suspicions_.find(update.id);
  if (it == suspicions_.end()) return;
  bool confirmed = false;
  for (const NodeId& accuser : update.accusers) confirmed |= it->second.Accuse(accuser);
  if (!confirmed) return;
  suspicion_due_ = std::min(suspicion_due_, it->second.due());
  queue_.Push(update.id.value(), EncodeUpdate(UpdateOf(*table_.Find(update.id))));
}

void Swim::Suspect(const Member& member, const std::vector<NodeId>& accusers, TimePoint now) {
  const Standing suspected{member.standing.incarnation, MemberState::kSuspect};
  Take({member.id, suspected, std::nullopt, accusers}, self_.id, now);
}

void Swim::DeclareDead(TimePoint now) {
  std::vector<NodeId> over;
  suspicion_due_ = kNever;
  for (const auto& [id, suspicion] : suspicions_) {
    if (suspicion.due() <= now) {
      over.push_back(id);
    } else {
      suspicion_due_ = std::min(suspicion_due_, suspicion.due());
    }
  }
  for (const NodeId& id : over) {
    const Standing dead{table_.Find(id)->standing.incarnation, MemberState::kDead};
    Take({id, dead, std::nullopt, {}}, self_.id, now);
  }
}

// Whoever says anything but that this node is alive as it is, has to be contradicted: it may be an
// earlier life that is meant, or a silence of ours.
void Swim::TakeAboutSelf(const Update& update, TimePoint now) {
  if (leaving_) return;
  const Standing mine{self_.incarnation, MemberState::kAlive};
  const bool other_info = update.info.has_value() && *update.info != self_.info;
  if (update.standing < mine && IsAccusation(update)) introduce_ = true;
  if (update.standing < mine || (update.standing == mine && !other_info)) return;
  if (IsAccusation(update)) awareness_.Add(1);
  if (update.standing == mine) ++counters_.conflicts;
  Refute(update.standing.incarnation, now);
}

void Swim::Refute(Incarnation above, TimePoint now) {
  if (above >= kIncarnationMax) return;  // nobody would believe a larger one
  ++counters_.refutations;
  self_.incarnation = Next(above);
  table_.Apply({self_.id, {self_.incarnation, MemberState::kAlive}, self_.info, {}}, now);
  Spread(*table_.Find(self_.id), now);
  outputs_.emplace_back(NewIncarnation{self_.incarnation});
}

Update Swim::UpdateOf(const Member& member) const {
  Update update{member.id, member.standing, std::nullopt, {}};
  if (member.standing.state == MemberState::kAlive) update.info = member.info;
  auto suspicion = suspicions_.find(member.id);
  if (suspicion != suspicions_.end()) update.accusers = suspicion->second.accusers();
  return update;
}

void Swim::Spread(const Member& member, TimePoint now) {
  if (quiet_) return;
  queue_.Push(member.id.value(), EncodeUpdate(UpdateOf(member)));
  if (gossip_at_ == kNever) gossip_at_ = now + UpTo(options_.gossip_period);
}

std::string Swim::FullStateBytes() const {
  std::string bytes = BeginDatagram(self_.id, FullState{});
  for (const Member* member : table_.everybody()) {
    Update update = UpdateOf(*member);
    update.info = member->info;
    bytes += EncodeUpdate(update);
  }
  SealDatagram(bytes, self_.cluster);
  return bytes;
}

absl::Status Swim::MergeFullState(std::string_view bytes, TimePoint now) {
  Datagram read;
  switch (ReadDatagram(bytes, self_.cluster, read)) {
    case Verdict::kRead:
      break;
    case Verdict::kGarbled:
      return InvalidArgument("state", "the members' state is damaged");
    case Verdict::kOtherVersion:
      return InvalidArgument("state", "the members' state is of another version");
    case Verdict::kForeignCluster:
      return InvalidArgument("state", "the members' state is of another cluster");
  }
  if (!std::holds_alternative<FullState>(read.message)) {
    return InvalidArgument("state", "not a full state");
  }
  NoticePause(now);
  // Who knew nobody has it from one who knows everybody: it is no news.
  quiet_ = table_.everybody().size() == 1;
  for (Update& update : read.updates) Soften(update, read.sender);
  TakeAll(std::move(read.updates), read.sender, now);
  // But who it is that knows everybody now, is: this may be a new life of one that others know.
  if (std::exchange(quiet_, false)) Spread(*table_.Find(self_.id), now);
  wake_ = NextWake();
  return absl::OkStatus();
}

// After a split each side holds the other dead. Neither word shall bury members at once: they are
// suspected first, so that they can contradict.
void Swim::Soften(Update& update, const NodeId& sender) const {
  const Member* known = table_.Find(update.id);
  if (known == nullptr || !known->IsLive() || update.standing.state != MemberState::kDead) return;
  update.standing.state = MemberState::kSuspect;
  update.accusers = {sender};
}

void Swim::Leave(TimePoint now) {
  if (leaving_) return;
  leaving_ = true;
  probe_.reset();
  const Standing left{self_.incarnation, MemberState::kLeft};
  table_.Apply({self_.id, left, std::nullopt, {}}, now);
  Spread(*table_.Find(self_.id), now);
  GossipNow(now);
  wake_ = NextWake();
}

absl::Status Swim::Remove(const NodeId& id, TimePoint now) {
  const Member* member = table_.Find(id);
  if (member == nullptr) {
    return MakeError(ErrorCode::kNotFound, fmt::format("there is no node '{}'", id.value()));
  }
  if (member->standing.state != MemberState::kDead) {
    return InvalidArgument("node", fmt::format("{} is not dead: a node that is stopped with "
                                               "SIGTERM leaves by itself, one that was killed is "
                                               "held dead after a few seconds",
                                               id.value()));
  }
  Take({id, {member->standing.incarnation, MemberState::kLeft}, std::nullopt, {}}, self_.id, now);
  wake_ = NextWake();
  return absl::OkStatus();
}

}  // namespace engram::membership
