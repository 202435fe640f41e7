// The defaults are those of SPEC C1; where it has none, mostly those of memberlist for a LAN.
#pragma once

#include "absl/status/status.h"
#include "engram/membership/member_table.h"
#include "engram/membership/suspicion.h"

namespace engram::membership {

struct SwimOptions {
  // A probe each period; both times are stretched by awareness, up to (awareness_max + 1) times.
  Duration probe_period = std::chrono::seconds(1);
  Duration ack_timeout = std::chrono::milliseconds(500);  // then others, and RPC, are tried
  size_t indirect_probes = 3;
  int awareness_max = 8;
  // Of the time that an indirect probe has: after so much of it a helper says that it got no
  // answer.
  double nack_after = 0.8;
  // What is held against a member goes first with everything that is sent to it.
  bool buddy_notice = true;
  SuspicionOptions suspicion;

  size_t datagram_bytes_max = 1'400;
  Duration gossip_period = std::chrono::milliseconds(200);  // while there is news
  size_t gossip_fanout = 3;
  int retransmit_multiplier = 3;  // times the natural logarithm of the cluster's size
  // Those who died so recently are told news too: it may be that they only seemed to be dead.
  Duration gossip_to_dead_for = std::chrono::seconds(30);
  Duration exchange_period = std::chrono::seconds(30);

  // A dead member is probed each period, in case it is there again. Of clusters that are larger
  // than `heal_members` each node does so more rarely, so that all together do it as often.
  Duration heal_period = std::chrono::seconds(2);
  size_t heal_members = 20;

  // Who left a probe unanswered counts as not reached for so long, if nothing is heard of it.
  Duration unanswered_for = std::chrono::seconds(30);
  // Nothing heard of anybody for so long, and a probe failed meanwhile: cut off from all at once.
  Duration silence_max = std::chrono::seconds(3);
  // A timer that is later than this shows that this node did not run.
  Duration late_max = std::chrono::milliseconds(250);

  MemberTableOptions table;
};

// An InvalidArgument that names the field, if one is out of its bounds.
[[nodiscard]] absl::Status Check(const SwimOptions& options);

}  // namespace engram::membership
