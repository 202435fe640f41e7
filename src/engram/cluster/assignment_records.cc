#include "engram/cluster/assignment_records.h"

#include <algorithm>
#include <utility>

#include "engram/base/names.h"
#include "engram/cluster/assignment_codec.h"

namespace engram::cluster {

using membership::Record;
using placement::Assignment;

namespace {

// Applied under one lock: some 50 us.
constexpr size_t kPiece = 64;

}  // namespace

AssignmentRecords::AssignmentRecords(routing::RoutingTable& table, const routing::NodeTable& nodes)
    : table_(table), nodes_(nodes) {
  table_.KeepDigest();
}

void AssignmentRecords::VisitVersions(const Buckets& buckets, VisitVersion visit) const {
  table_.VisitVersions(buckets, [&](std::string_view space, const Version& version) {
    const bool sent = CheckSpaceName("space", space).ok() &&
                      CheckNodeId("epoch", version.epoch.primary.view()).ok();
    if (sent) visit(space, version);
  });
}

std::optional<Record> AssignmentRecords::Find(std::string_view key) const {
  const std::optional<Assignment> assignment = table_.FindAssignment(key);
  if (!assignment.has_value() || !CheckAssignment(*assignment).ok()) return std::nullopt;
  return ToRecord(*assignment);
}

std::vector<size_t> AssignmentRecords::Apply(std::span<const Record> batch) {
  std::vector<size_t> newer;
  std::vector<Assignment> piece;
  std::vector<size_t> places;  // of the piece's assignments in the batch
  for (size_t i = 0; i < batch.size(); ++i) {
    if (std::optional<Assignment> accepted = Accept(batch[i]); accepted.has_value()) {
      piece.push_back(*std::move(accepted));
      places.push_back(i);
    }
    if (piece.size() < kPiece && i + 1 < batch.size()) continue;
    for (size_t at : table_.ApplyNewer(piece)) newer.push_back(places[at]);
    piece.clear();
    places.clear();
  }
  return newer;
}

std::optional<Assignment> AssignmentRecords::Accept(const Record& record) {
  std::optional<Assignment> assignment = ToAssignment(record);
  if (assignment.has_value() && !NamesTooManyNodes(*assignment)) return assignment;
  refused_.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

bool AssignmentRecords::NamesTooManyNodes(const Assignment& assignment) const {
  if (nodes_.size() < kNodesMax) return false;
  const auto is_new = [&](const NodeId& node) { return !nodes_.Find(node.view()).has_value(); };
  return is_new(assignment.primary) || is_new(assignment.version.epoch.primary) ||
         std::any_of(assignment.replicas.begin(), assignment.replicas.end(), is_new);
}

}  // namespace engram::cluster
