// What a stream between two nodes carries: messages of many spaces in one frame, with a checksum
// (proto/engram/peer/v1/replication.proto).
//
// Everything here is pure and thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/cluster/replication_codec.h"

namespace engram::cluster {

// Who says what follows, and to whom.
struct ReplicationHello {
  NodeId sender;
  NodeId receiver;
  uint64_t life = 0;  // of the sender's process; another one than those before it had
};

struct FrameHead {
  std::optional<ReplicationHello> hello;  // in the first frame of a stream
  uint64_t receiver_life = 0;             // that the sender has heard last; 0 if none
};

struct Frame {
  FrameHead head;
  std::vector<SpaceMessage> messages;
  size_t unknown = 0;  // messages of kinds that this version does not know; left out
};

// One message as part of a batch; a batch is such parts, one after the other.
std::string EncodePart(SpaceMessage message);

std::string EncodeFrame(const FrameHead& head, std::string batch);

// InvalidArgument that names the field; "checksum" if what was sent is not what has come.
absl::StatusOr<Frame> DecodeFrame(const std::string& bytes);

}  // namespace engram::cluster
