// Who is in the cluster, by the newest word about each.
//
// Members that are dead for long are no longer listed, but are never forgotten: they count in the
// total that a majority is taken of (SPEC R12) until they come back, leave, or an operator removes
// them. Those that have left are forgotten after a while.
//
// Owned by Swim. Pure; not thread-safe.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "engram/membership/member.h"

namespace engram::membership {

struct MemberTableOptions {
  Duration reap_after = std::chrono::hours(24);  // from lists, when dead or left
  Duration forget_left_after = std::chrono::hours(24 * 7);
};

// What an update changed.
enum class Change : uint8_t {
  kNone,       // it was known, or older than what is known
  kJoined,     // a new member, or one that was dead or had left
  kRefreshed,  // the same state as before, of a new incarnation
  kSuspected,
  kRefuted,  // alive after having been suspected
  kDied,
  kLeft,
};

class MemberTable {
 public:
  static constexpr size_t kMembersMax = 65'536;  // further ones are not taken in

  explicit MemberTable(const MemberTableOptions& options = {}) : options_(options) {}

  // Takes `update` in if it says more than what is known. A member that was never heard of is taken
  // in only with its info.
  Change Apply(const Update& update, TimePoint now);

  const Member* Find(const NodeId& id) const;

  // Everybody, in the order in which they were heard of; the pointers stay valid until Forget().
  const std::vector<const Member*>& everybody() const { return everybody_; }
  // For people: without those that are gone for long.
  std::vector<Member> Listed(TimePoint now) const;
  // When Listed() becomes shorter if nobody is heard of; kNever if it does not.
  TimePoint NextReap(TimePoint now) const;

  size_t CountOf(MemberState state) const { return counts_[static_cast<size_t>(state)]; }
  // Alive or suspect.
  size_t live() const { return CountOf(MemberState::kAlive) + CountOf(MemberState::kSuspect); }
  // What a majority is taken of: all but those that have left.
  size_t total() const { return everybody_.size() - CountOf(MemberState::kLeft); }

  // Drops who left long ago.
  void Forget(TimePoint now);

 private:
  Change Insert(const Update& update, TimePoint now);
  void Count(MemberState state, int by) { counts_[static_cast<size_t>(state)] += by; }

  const MemberTableOptions options_;
  std::map<NodeId, Member> members_;
  std::vector<const Member*> everybody_;
  std::array<size_t, kMemberStateCount> counts_{};
};

}  // namespace engram::membership
