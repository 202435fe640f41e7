#include "engram/server/admission.h"

#include <algorithm>
#include <utility>

#include "absl/base/macros.h"
#include "engram/base/error.h"
#include "engram/server/node_context.h"

namespace engram::server {
namespace {

using routing::AdmissionGate;

routing::AdmissionOptions OptionsFor(int running_max, const NodeConfig& config) {
  routing::AdmissionOptions options;
  options.running_max = static_cast<size_t>(running_max);
  options.waiting_max = static_cast<size_t>(config.queue_max);
  return options;
}

// Runs it, and frees its place once it has answered.
void Run(AdmissionGate& gate, Admission::Work work, Admission::Done done) {
  work([&gate, done = std::move(done)](absl::StatusOr<std::string> reply) mutable {
    done(std::move(reply));
    gate.Leave(Now());
  });
}

}  // namespace

// One recall more than there are workers, so that none waits for the loop to hand it the next.
Admission::LoopGates::LoopGates(const net::EventLoop* l, const NodeConfig& config)
    : loop(l),
      writes(OptionsFor(config.writes_max, config)),
      recalls(OptionsFor(config.workers + 1, config)) {}

Admission::Admission(const NodeConfig& config, const net::EventLoopGroup& loops)
    : self_(config.node_id) {
  for (size_t i = 0; i < loops.size(); ++i)
    gates_.push_back(std::make_unique<LoopGates>(&loops.at(i), config));
}

void Admission::Pass(const net::EventLoop& loop, const Request& request, Work work, Done done) {
  AdmissionGate& gate = GateOf(loop, request.op);
  if (gate.Enter()) return Run(gate, std::move(work), std::move(done));
  // Shared, because the gate may refuse it after it has been made.
  auto refuse = std::make_shared<Done>(std::move(done));
  auto retry_after = gate.Wait(Now(), request.deadline,
                               [this, &gate, space = request.space, work = std::move(work),
                                refuse](AdmissionGate::Turn turn) mutable {
                                 if (turn == AdmissionGate::Turn::kRun)
                                   return Run(gate, std::move(work), std::move(*refuse));
                                 // It was not begun: not an undetermined outcome, as
                                 // DEADLINE_EXCEEDED would be.
                                 (*refuse)(Overloaded(space, Duration{}));
                               });
  if (retry_after.has_value()) (*refuse)(Overloaded(request.space, *retry_after));
}

AdmissionGate& Admission::GateOf(const net::EventLoop& loop, routing::Operation op) {
  auto it =
      std::find_if(gates_.begin(), gates_.end(), [&](const auto& g) { return g->loop == &loop; });
  ABSL_HARDENING_ASSERT(it != gates_.end());
  return routing::IsWrite(op) ? (*it)->writes : (*it)->recalls;
}

absl::Status Admission::Overloaded(const SpaceId& space, Duration retry_after) const {
  ErrorDetail detail{ErrorCode::kOverloaded, "", space.value(), self_.value(), retry_after};
  return MakeError(detail, "the node has more requests than it can answer in time");
}

}  // namespace engram::server
