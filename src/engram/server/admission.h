// Lets requests for this node's own data in, as many as it can serve in time, and refuses the rest
// as OVERLOADED with the time after which to try again (SPEC R14). Ownership is checked before, so
// that a busy node that is the wrong one still redirects.
//
// Each loop has three gates (routing/admission_gate.h), because what holds up the one does not hold
// up the other: writes wait for the disk, recalls for a worker, and a recall over several spaces,
// at the node that gathers it, for other nodes; this node's own part in it is a recall. A get
// passes without: it is served in place, so that its loop never has a second one.
//
// Thread-safety: Pass() on any loop of the group, `done` and `work` run on the same; CountsOf() on
// any thread. The loops must have stopped when it is destroyed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/base/strong_id.h"
#include "engram/net/counters.h"
#include "engram/net/event_loop.h"
#include "engram/routing/admission_gate.h"
#include "engram/routing/decision.h"
#include "engram/server/config.h"

namespace engram::server {

enum class ShedReason : uint8_t {
  kQueueFull,
  kTooLate,  // at the door: it would have waited too long, or ended after its deadline
  kExpired,  // its deadline passed while it waited
};
inline constexpr std::array<std::string_view, 3> kShedReasonNames = {"queue_full", "too_late",
                                                                     "expired"};

class Admission {
 public:
  enum class Kind : uint8_t { kWrites, kRecalls, kScatters };
  // Of one kind, over all loops.
  struct Counts {
    int64_t running = 0;
    int64_t waiting = 0;
    std::array<uint64_t, kShedReasonNames.size()> shed{};  // by ShedReason, since the start
  };

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
  // The same for a recall over several spaces that this node gathers.
  void PassScatter(const net::EventLoop& loop, TimePoint deadline, Work work, Done done);

  Counts CountsOf(Kind kind) const;

 private:
  // The gate, and what other threads may know of it.
  struct CountedGate {
    explicit CountedGate(const routing::AdmissionOptions& options) : gate(options) {}

    routing::AdmissionGate gate;
    net::Gauge running;
    net::Gauge waiting;
    std::array<net::Counter, kShedReasonNames.size()> shed;
  };
  struct LoopGates {
    LoopGates(const net::EventLoop* l, const NodeConfig& config);

    const net::EventLoop* loop;
    CountedGate writes;
    CountedGate recalls;
    CountedGate scatters;
  };

  LoopGates& GatesOf(const net::EventLoop& loop);
  void PassGate(CountedGate& gate, const Request& request, Work work, Done done);
  void Run(CountedGate& gate, Work work, Done done);
  void Wait(CountedGate& gate, const Request& request, Work work, Done done);
  static void Count(CountedGate& gate, ShedReason reason);
  absl::Status Overloaded(const SpaceId& space, Duration retry_after) const;

  const NodeId self_;
  std::vector<std::unique_ptr<LoopGates>> gates_;
};

}  // namespace engram::server
