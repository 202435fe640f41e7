// What requests ask of replication at this node: a port, declared beside those who need it. Who
// drives replication provides it (NodeContext::replication).
//
// Thread-safety: everything from any thread, and nothing waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "engram/base/strong_id.h"
#include "engram/base/time.h"
#include "engram/base/version.h"

namespace engram::server {

class ReplicationPort {
 public:
  // What is to be said with an answer from this node's copy of a space.
  struct Standing {
    bool degraded = false;  // of a primary without a lease, or of a holder in a branch
    // How far behind the primary the copy may be; nothing if the answer is the primary's own.
    std::optional<std::chrono::milliseconds> staleness;
    Version position;  // of the last entry in its log; the default if there is none
  };

  // What one of the replicas lacks of what this node has, as primary, of all spaces together.
  struct Lag {
    NodeId replica;
    uint64_t spaces = 0;  // in which it is behind
    uint64_t entries = 0;
    uint64_t bytes = 0;
    Duration time{};  // the longest of any space
  };

  virtual ~ReplicationPort() = default;

  // Whether this node's copy of the space has the change (DESIGN §5: by its own epoch or branch).
  virtual bool Has(const SpaceId& space, const Version& change) const = 0;

  // To be asked when the answer has been read, or the write committed (docs/model, decision 14).
  virtual Standing StandingOf(const SpaceId& space) const = 0;

  virtual std::vector<Lag> Lags() const = 0;

  // Hands the space over to `primary`, which is one of its holders, from whichever node is primary
  // now. `done` is called once, on any thread, when it is, or with why it is not.
  virtual void Move(const SpaceId& space, const NodeId& primary, TimePoint deadline,
                    absl::AnyInvocable<void(absl::Status)> done) = 0;
};

}  // namespace engram::server
