// What the holders of a space send each other (replication/replica_message.h), to and from the
// wire's messages (proto/engram/peer/v1/replication.proto).
//
// What comes from the wire is checked in every field, and so that no machine has to: names are
// within the rules of base/names.h, positions are positions, entries follow each other. That the
// sender may say so is the machines' matter.
//
// Everything here is pure and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "engram/base/strong_id.h"
#include "engram/peer/v1/replication.pb.h"
#include "engram/replication/replica_message.h"

namespace engram::cluster {

struct SpaceMessage {
  SpaceId space;
  replication::ReplicaMessage message;
};

// Of one message; LogPort's readers give fewer.
inline constexpr size_t kEntriesMax = 4'096;  // entries or changes
inline constexpr size_t kHistoryRowsMax = 16'384;
inline constexpr size_t kKeyMax = 1'024;  // of a copy: more than a name or a request's key has
inline constexpr size_t kDigestSize = 16;
// Of counters and sequences, so that there is always a next one.
inline constexpr uint64_t kNumberMax = uint64_t{1} << 62;

peer::v1::SpaceMessage ToProto(SpaceMessage message);

// InvalidArgument that names the field; kUnimplemented if it is of a kind that this version does
// not know.
absl::StatusOr<SpaceMessage> FromProto(peer::v1::SpaceMessage message);

}  // namespace engram::cluster
