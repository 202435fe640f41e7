#include "engram/cluster/assignment_records.h"

#include <algorithm>
#include <utility>

#include "engram/base/names.h"
#include "engram/base/planted.h"
#include "engram/cluster/assignment_codec.h"

namespace engram::cluster {

using membership::Record;
using placement::Assignment;
using routing::RouteVersion;

namespace {

// Applied under one lock: some 50 us.
constexpr size_t kPiece = 64;

// Versions by name, of one visit: each node is copied and checked once, not with each space.
class NamedVersions {
 public:
  explicit NamedVersions(const routing::NodeTable& nodes) : nodes_(nodes) {}

  // Valid until the next call. Null if others would refuse it.
  const Version* Of(const RouteVersion& version) {
    if (version.epoch_primary == routing::kNoNode) return nullptr;
    const auto node = static_cast<size_t>(version.epoch_primary);
    if (node >= of_node_.size()) AddUpTo(node);
    std::optional<Version>& named = of_node_[node];
    if (!named.has_value()) return nullptr;
    named->epoch.counter = version.epoch_counter;
    named->sequence = version.sequence;
    return &*named;
  }

 private:
  void AddUpTo(size_t node) {
    for (size_t n = of_node_.size(); n <= node; ++n) {
      const NodeId& id = nodes_.IdOf(static_cast<routing::NodeIndex>(n));
      const bool valid = CheckNodeId("epoch", id.view()).ok();
      of_node_.push_back(valid ? std::optional(Version{{0, id}, 0}) : std::nullopt);
    }
  }

  const routing::NodeTable& nodes_;
  std::vector<std::optional<Version>> of_node_;
};

}  // namespace

AssignmentRecords::AssignmentRecords(routing::RoutingTable& table, const routing::NodeTable& nodes)
    : table_(table), nodes_(nodes) {
  table_.KeepDigest();
}

void AssignmentRecords::VisitVersions(const Buckets& buckets, VisitVersion visit) const {
  NamedVersions names(nodes_);
  table_.VisitVersions(buckets, [&](std::string_view space, const RouteVersion& version) {
    const Version* named = names.Of(version);
    if (named != nullptr && !space.empty() && space.size() <= kSpaceNameBytesMax) {
      visit(space, *named);
    }
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
    if (IsPlanted(Bug::kDiffHalfApplied)) piece.resize((piece.size() + 1) / 2);
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
