// How long a member is suspected before it is declared dead (Lifeguard, Dadgar et al., 2018,
// §IV-B): long while only one has found it silent, since that one may be slow itself, and shorter
// with each independent confirmation.
//
//   shortest = multiplier * max(1, log10(members)) * probe period
//   longest  = longest_factor * shortest
//   time-out = longest - (longest - shortest) * log(C + 1) / log(K + 1),   at least the shortest
//
// with C confirmations so far of K that count; K = multiplier - 2, or 0 where the cluster is too
// small to have so many others.
//
// Owned by Swim. Value type.
#pragma once

#include <vector>

#include "engram/membership/member.h"

namespace engram::membership {

struct SuspicionOptions {
  int multiplier = 4;
  int longest_factor = 6;  // 1: a fixed time-out, as in plain SWIM
};

class Suspicion {
 public:
  // More accusers are neither kept nor passed on.
  static constexpr size_t kAccusersMax = 8;

  // `members`: how many are live, this node and the suspect included.
  Suspicion(const SuspicionOptions& options, Duration probe_period, size_t members, TimePoint now);

  // True if `accuser` is new and makes the time-out shorter, which others should hear of. The first
  // one begins the suspicion and is no confirmation.
  bool Accuse(const NodeId& accuser);

  const std::vector<NodeId>& accusers() const { return accusers_; }
  TimePoint due() const { return begun_ + TimeOut(); }

  // This node was not running for so long; nobody could have refuted meanwhile.
  void Postpone(Duration by) { begun_ += by; }

 private:
  Duration TimeOut() const;

  TimePoint begun_;
  Duration shortest_;
  Duration longest_;
  int confirmations_max_;
  std::vector<NodeId> accusers_;  // sorted
};

}  // namespace engram::membership
