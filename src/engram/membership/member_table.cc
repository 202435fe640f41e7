#include "engram/membership/member_table.h"

#include <algorithm>

namespace engram::membership {
namespace {

// REQUIRES: they differ.
Change ChangeOf(MemberState before, MemberState after) {
  switch (after) {
    case MemberState::kAlive:
      return before == MemberState::kSuspect ? Change::kRefuted : Change::kJoined;
    case MemberState::kSuspect:
      return Change::kSuspected;
    case MemberState::kDead:
      return Change::kDied;
    case MemberState::kLeft:
      return Change::kLeft;
  }
  return Change::kNone;
}

Change FirstWord(MemberState state) {
  return state == MemberState::kAlive ? Change::kJoined : ChangeOf(MemberState::kAlive, state);
}

}  // namespace

Change MemberTable::Apply(const Update& update, TimePoint now) {
  auto it = members_.find(update.id);
  if (it == members_.end()) return Insert(update, now);
  Member& member = it->second;
  if (update.standing <= member.standing) return Change::kNone;
  const MemberState before = member.standing.state;
  member.standing = update.standing;
  if (update.info.has_value()) member.info = *update.info;
  if (before == update.standing.state) return Change::kRefreshed;
  Count(before, -1);
  Count(update.standing.state, 1);
  member.since = now;
  return ChangeOf(before, update.standing.state);
}

Change MemberTable::Insert(const Update& update, TimePoint now) {
  if (!update.info.has_value() || members_.size() >= kMembersMax) return Change::kNone;
  Member& member = members_[update.id];
  member = {update.id, update.standing, *update.info, now};
  everybody_.push_back(&member);
  Count(update.standing.state, 1);
  return FirstWord(update.standing.state);
}

const Member* MemberTable::Find(const NodeId& id) const {
  auto it = members_.find(id);
  return it == members_.end() ? nullptr : &it->second;
}

std::vector<Member> MemberTable::Listed(TimePoint now) const {
  std::vector<Member> listed;
  for (const auto& [id, member] : members_) {
    if (member.IsLive() || now - member.since < options_.reap_after) listed.push_back(member);
  }
  return listed;
}

TimePoint MemberTable::NextReap(TimePoint now) const {
  TimePoint next = kNever;
  for (const auto& [id, member] : members_) {
    const TimePoint reaped_at = member.since + options_.reap_after;
    if (!member.IsLive() && reaped_at > now) next = std::min(next, reaped_at);
  }
  return next;
}

void MemberTable::Forget(TimePoint now) {
  const auto forgotten = [&](const Member* member) {
    return member->standing.state == MemberState::kLeft &&
           now - member->since >= options_.forget_left_after;
  };
  std::erase_if(everybody_, forgotten);
  const size_t erased =
      std::erase_if(members_, [&](const auto& m) { return forgotten(&m.second); });
  Count(MemberState::kLeft, -static_cast<int>(erased));
}

}  // namespace engram::membership
