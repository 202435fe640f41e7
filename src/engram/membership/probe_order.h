// In which order members are probed: round-robin over a random order that is drawn anew each round
// (SWIM, Das et al., 2002, §4.3), so that a dead member is found by each node within two rounds.
//
// Owned by Swim. Pure; not thread-safe.
#pragma once

#include <cstddef>
#include <random>
#include <set>
#include <vector>

#include "engram/membership/member_table.h"

namespace engram::membership {

class ProbeOrder {
 public:
  // At a random place: those who join together are not probed one after the other. Nothing happens
  // if it is there already.
  void Add(const NodeId& id, std::mt19937_64& random);

  // The next live member; null if there is none. REQUIRES: this node itself was not added.
  const Member* Next(const MemberTable& members, std::mt19937_64& random);

 private:
  void BeginRound(const MemberTable& members, std::mt19937_64& random);

  std::set<NodeId> known_;
  std::vector<NodeId> order_;
  size_t next_ = 0;
};

}  // namespace engram::membership
