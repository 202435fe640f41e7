// What one node knows of its cluster at one moment, for people, metrics and tests. Value type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engram/membership/partition_detector.h"
#include "engram/membership/record_gossip.h"
#include "engram/membership/swim.h"

namespace engram::cluster {

struct ClusterView {
  std::string cluster_id;
  // By id, this node too; without those that are gone for long.
  std::vector<membership::Member> members;
  membership::Reach reach;
  membership::PartitionState state = membership::PartitionState::kStarting;
  int awareness = 0;
};

// Since the node's start.
struct ControlCounters {
  membership::SwimCounters swim;
  membership::RecordGossip::Counters records;
  uint64_t records_refused = 0;  // damaged or hostile ones
  uint64_t comparisons = 0;
  uint64_t comparisons_failed = 0;
};

// "connected", "partitioned", "healing", "starting".
std::string_view NameOf(membership::PartitionState state);
// "alive", "suspect", "dead", "left".
std::string_view NameOf(membership::MemberState state);

}  // namespace engram::cluster
