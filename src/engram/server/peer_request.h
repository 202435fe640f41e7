// The receiver's side of a request that another node passed on: may this node serve it, and what
// does it tell the sender besides the answer. Which way it came, as a call of its own
// (peer_service.h) or over a stream (peer_stream_service.h), makes no difference here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/server/local_service.h"
#include "engram/server/node_context.h"

namespace engram::server {

struct PeerRequest {
  routing::Operation op;
  SpaceId space;
  routing::ReadPolicy policy;
  memory::WriteIdentity identity;
  bool create = false;        // the sender has asked every node: nobody holds the space
  std::string route_version;  // the engram.v1.Version that this node was chosen by; may be empty
  TimePoint deadline;
  std::string body;
  routing::Ack ack = routing::Ack::kPrimary;
  std::optional<Version> session = std::nullopt;
};

struct PeerAnswer {
  absl::StatusOr<std::string> message;
  bool degraded = false;
  // The engram.v1.Assignment that this node knows, if it is newer than what it was chosen by.
  std::string assignment;
  std::optional<uint64_t> staleness_ms = std::nullopt;
  std::string seen = {};  // as HeldAnswer's
};

// `done` runs on `loop`, once, perhaps before this returns. Both services outlive it.
void ServePeer(NodeContext& context, LocalService& local, LoopState& loop, PeerRequest request,
               absl::AnyInvocable<void(PeerAnswer)> done);

// The only preference that matters to the receiver: a replica must not answer for the primary.
routing::ReadPolicy PeerPolicy(bool primary_only);

}  // namespace engram::server
