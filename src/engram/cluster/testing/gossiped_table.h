// A node's routing table with the gossip that spreads it, for tests and the simulator.
#pragma once

#include <span>

#include "engram/cluster/assignment_codec.h"
#include "engram/cluster/assignment_records.h"
#include "engram/membership/record_gossip.h"
#include "engram/routing/node_table.h"
#include "engram/routing/routing_table.h"

namespace engram::cluster {

// Each has a numbering of the nodes of its own, as real nodes do.
struct GossipedTable {
  explicit GossipedTable(const membership::RecordGossipOptions& options = {})
      : gossip(records, options) {}

  // This node's own change.
  bool Put(const placement::Assignment& assignment) { return gossip.Put(ToRecord(assignment)); }
  // As requests do: past gossip.
  bool Apply(const placement::Assignment& assignment) {
    return table.Apply(std::span(&assignment, 1)) > 0;
  }

  routing::NodeTable nodes;
  routing::RoutingTable table{nodes};
  AssignmentRecords records{table, nodes};
  membership::RecordGossip gossip;
};

}  // namespace engram::cluster
