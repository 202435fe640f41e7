// Lets requests for this node's own data in, as many as it can serve in time, and refuses the rest
// as OVERLOADED with the time after which to try again (SPEC R14). Ownership is checked before, so
// that a busy node that is the wrong one still redirects.
//
// Each loop has two gates (routing/admission_gate.h), because what holds up the one does not hold
// up the other: writes wait for the disk, recalls for a worker. A get passes without: it is served
// in place, so that its loop never has a second one.
//
// Thread-safety: Pass() on any loop of the group, `done` and `work` run on the same. The loops must
// have stopped when it is destroyed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/base/strong_id.h"
#include "engram/net/event_loop.h"
#include "engram/routing/admission_gate.h"
#include "engram/routing/decision.h"
#include "engram/server/config.h"

namespace engram::server {

class Admission {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;
  using Work = absl::AnyInvocable<void(Done)>;

  struct Request {
    routing::Operation op;
    SpaceId space;
    TimePoint deadline;
  };

  Admission(const NodeConfig& config, const net::EventLoopGroup& loops);

  // Runs `work` now or when there is room for it, or answers OVERLOADED. `work` calls its argument
  // exactly once, when it has ended.
  void Pass(const net::EventLoop& loop, const Request& request, Work work, Done done);

 private:
  struct LoopGates {
    LoopGates(const net::EventLoop* l, const NodeConfig& config);

    const net::EventLoop* loop;
    routing::AdmissionGate writes;
    routing::AdmissionGate recalls;
  };

  routing::AdmissionGate& GateOf(const net::EventLoop& loop, routing::Operation op);
  absl::Status Overloaded(const SpaceId& space, Duration retry_after) const;

  const NodeId self_;
  std::vector<std::unique_ptr<LoopGates>> gates_;
};

}  // namespace engram::server
