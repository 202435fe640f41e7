// The routing table as the store of gossiped records (membership/record_store.h): what
// gossip learns, requests are routed by, and what requests learn, comparisons find. There is no
// other copy.
//
// Owned by the driver of gossip. Thread-safety: gossip calls it on the control loop only; the table
// may be changed by any thread meanwhile, and requests read it without waiting. A batch is applied
// in pieces, so that a request with a newer assignment waits for one piece at most.
//
// Nothing comes into the table from gossip that CheckAssignment() refuses, and nothing goes out
// that others would refuse, in case a request has brought it in.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engram/membership/record_store.h"
#include "engram/placement/assignment.h"
#include "engram/routing/node_table.h"
#include "engram/routing/routing_table.h"

namespace engram::cluster {

class AssignmentRecords : public membership::RecordStore {
 public:
  // With so many nodes known, assignments that name others are refused: a node that has been told
  // of NodeTable::kNodesMax ends itself, and no cluster is nearly as large as this.
  static constexpr size_t kNodesMax = routing::NodeTable::kNodesMax / 2;

  // `table` numbers its nodes by `nodes`; both must outlive it. The table keeps a digest from now
  // on.
  AssignmentRecords(routing::RoutingTable& table, const routing::NodeTable& nodes);

  VersionDigest VersionsDigest() const override { return table_.Digest(); }
  void VisitVersions(const Buckets& buckets, VisitVersion visit) const override;
  std::optional<membership::Record> Find(std::string_view key) const override;
  std::vector<size_t> Apply(std::span<const membership::Record> batch) override;

  // Records from other nodes that were damaged or hostile, and were not applied. From any thread.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  // Nothing, and it is counted, if it is refused.
  std::optional<placement::Assignment> Accept(const membership::Record& record);
  bool NamesTooManyNodes(const placement::Assignment& assignment) const;

  routing::RoutingTable& table_;
  const routing::NodeTable& nodes_;
  std::atomic<uint64_t> refused_{0};
};

}  // namespace engram::cluster
