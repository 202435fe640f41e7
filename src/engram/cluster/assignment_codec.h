// An assignment as a record of gossip (membership/record_gossip.h): key = the space, version = its
// version, value = who holds it:
//
//   1, primary, count of the replicas, replicas
//
// in the terms of base/codec.h: a format byte, a length before each name, numbers as varints.
//
// Everything here is pure and thread-safe.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "engram/membership/record_gossip.h"
#include "engram/placement/assignment.h"

namespace engram::cluster {

// OK if another node would believe it: names within the rules of base/names.h, the version's
// primary named, at most routing::Route::kReplicasMax replicas. InvalidArgument otherwise.
[[nodiscard]] absl::Status CheckAssignment(const placement::Assignment& assignment);

// REQUIRES: CheckAssignment() is OK; what it refuses, ToAssignment() refuses at the other end.
membership::Record ToRecord(const placement::Assignment& assignment);

// Nothing if the value is damaged, of another format, or says what CheckAssignment() refuses.
std::optional<placement::Assignment> ToAssignment(const membership::Record& record);

}  // namespace engram::cluster
