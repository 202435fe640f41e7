// The members of a cluster as one node knows them, and what nodes tell each other about them.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engram/base/strong_id.h"
#include "engram/base/time.h"

namespace engram::membership {

// How often a node has begun anew or contradicted what was said of it. Only the node itself raises
// its own, so of two words about a node the one with the larger incarnation was said later.
enum class Incarnation : uint64_t {};
// Nothing larger is believed, so that there is always a next one.
inline constexpr Incarnation kIncarnationMax{uint64_t{1} << 62};
inline constexpr Incarnation Next(Incarnation i) {
  return Incarnation{static_cast<uint64_t>(i) + 1};
}

// In the order in which one overrules another of the same incarnation. Left comes last: it is the
// node's own word, and who has left is not missed (SPEC R12).
enum class MemberState : uint8_t { kAlive, kSuspect, kDead, kLeft };
inline constexpr int kMemberStateCount = 4;

// What is known of a member, ordered: the larger one counts, whatever the source. So words may come
// late, twice and in any order, and all nodes that have heard the same think the same. This is
// SWIM's precedence (Das et al., 2002, §4.2), but for the dead, who may come back with a new
// incarnation.
struct Standing {
  Incarnation incarnation{};
  MemberState state = MemberState::kAlive;

  friend auto operator<=>(const Standing&, const Standing&) = default;
};

// What others need in order to talk to a member, and to see how far away it is.
struct MemberInfo {
  std::string gossip_address;  // host:port, UDP
  std::string rpc_address;     // host:port, gRPC
  std::string zone;
  std::string rack;

  friend bool operator==(const MemberInfo&, const MemberInfo&) = default;
};

struct Member {
  NodeId id;
  Standing standing;
  MemberInfo info;
  TimePoint since;  // it is in this state, by this node's clock

  // To be probed, and to be told news.
  bool IsLive() const { return standing.state <= MemberState::kSuspect; }
};

// What one node tells another about a third.
struct Update {
  NodeId id;
  Standing standing;
  // Always there if Alive; otherwise only in a full state, for those who have never heard of it.
  std::optional<MemberInfo> info;
  // If Suspect: who could not reach it; each has found so by itself. Sorted.
  std::vector<NodeId> accusers;

  friend bool operator==(const Update&, const Update&) = default;
};

}  // namespace engram::membership
