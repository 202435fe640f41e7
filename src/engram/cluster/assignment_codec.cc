#include "engram/cluster/assignment_codec.h"

#include <fmt/format.h>

#include <utility>

#include "absl/base/macros.h"
#include "engram/base/codec.h"
#include "engram/base/error.h"
#include "engram/base/names.h"
#include "engram/routing/route.h"

namespace engram::cluster {

using membership::Record;
using placement::Assignment;
using routing::Route;

namespace {

constexpr uint8_t kValueFormat = 1;

}  // namespace

absl::Status CheckAssignment(const Assignment& assignment) {
  absl::Status status = CheckSpaceName("space", assignment.space.view());
  status.Update(CheckNodeId("primary", assignment.primary.view()));
  status.Update(CheckNodeId("epoch", assignment.version.epoch.primary.view()));
  if (assignment.replicas.size() > Route::kReplicasMax) {
    status.Update(InvalidArgument("replicas", fmt::format("at most {}", Route::kReplicasMax)));
  }
  for (const NodeId& replica : assignment.replicas) {
    status.Update(CheckNodeId("replicas", replica.view()));
  }
  return status;
}

Record ToRecord(const Assignment& assignment) {
  Encoder value;
  value.Byte(kValueFormat);
  value.Bytes(assignment.primary.view());
  value.Varint(assignment.replicas.size());
  for (const NodeId& replica : assignment.replicas) value.Bytes(replica.view());
  ABSL_HARDENING_ASSERT(value.data().size() <= membership::RecordGossip::kValueBytesMax);
  return {assignment.space.value(), assignment.version, value.Take()};
}

std::optional<Assignment> ToAssignment(const Record& record) {
  Decoder in(record.value);
  if (in.Byte() != kValueFormat) return std::nullopt;
  Assignment assignment{SpaceId(record.key), NodeId(in.Bytes()), {}, record.version};
  const size_t replicas = in.Count();
  if (replicas > Route::kReplicasMax) return std::nullopt;
  for (size_t r = 0; r < replicas; ++r) assignment.replicas.emplace_back(in.Bytes());
  if (!in.Finished() || !CheckAssignment(assignment).ok()) return std::nullopt;
  return assignment;
}

}  // namespace engram::cluster
