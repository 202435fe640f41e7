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

}  // namespace

// One recall more than there are workers, so that none waits for the loop to hand it the next.
Admission::LoopGates::LoopGates(const net::EventLoop* l, const NodeConfig& config)
    : loop(l),
      writes(OptionsFor(config.writes_max, config)),
      recalls(OptionsFor(config.workers + 1, config)),
      scatters(OptionsFor(config.scatters_max, config)) {}

Admission::Admission(const NodeConfig& config, const net::EventLoopGroup& loops)
    : self_(config.node_id) {
  for (size_t i = 0; i < loops.size(); ++i)
    gates_.push_back(std::make_unique<LoopGates>(&loops.at(i), config));
}

void Admission::Pass(const net::EventLoop& loop, const Request& request, Work work, Done done) {
  LoopGates& gates = GatesOf(loop);
  PassGate(routing::IsWrite(request.op) ? gates.writes : gates.recalls, request, std::move(work),
           std::move(done));
}

void Admission::PassScatter(const net::EventLoop& loop, TimePoint deadline, Work work, Done done) {
  PassGate(GatesOf(loop).scatters, {routing::Operation::kRecall, SpaceId(), deadline},
           std::move(work), std::move(done));
}

void Admission::PassGate(CountedGate& gate, const Request& request, Work work, Done done) {
  if (gate.gate.Enter()) return Run(gate, std::move(work), std::move(done));
  Wait(gate, request, std::move(work), std::move(done));
}

// Frees its place once it has answered.
void Admission::Run(CountedGate& gate, Work work, Done done) {
  gate.running.Add(1);
  work([&gate, done = std::move(done)](absl::StatusOr<std::string> reply) mutable {
    done(std::move(reply));
    gate.running.Add(-1);
    gate.gate.Leave(Now());
  });
}

void Admission::Wait(CountedGate& gate, const Request& request, Work work, Done done) {
  // Shared, because the gate may refuse it after it has been made.
  auto refuse = std::make_shared<Done>(std::move(done));
  const ShedReason reason = gate.gate.full() ? ShedReason::kQueueFull : ShedReason::kTooLate;
  auto retry_after = gate.gate.Wait(Now(), request.deadline,
                                    [this, &gate, space = request.space, work = std::move(work),
                                     refuse](AdmissionGate::Turn turn) mutable {
                                      gate.waiting.Add(-1);
                                      if (turn == AdmissionGate::Turn::kRun) {
                                        return Run(gate, std::move(work), std::move(*refuse));
                                      }
                                      Count(gate, ShedReason::kExpired);
                                      // It was not begun: not an undetermined outcome, as
                                      // DEADLINE_EXCEEDED would be. And a push-back, as of
                                      // all who are shed: the node is well.
                                      (*refuse)(Overloaded(space, gate.gate.RetryAfter()));
                                    });
  if (!retry_after.has_value()) return gate.waiting.Add(1);
  Count(gate, reason);
  (*refuse)(Overloaded(request.space, *retry_after));
}

void Admission::Count(CountedGate& gate, ShedReason reason) {
  gate.shed[static_cast<size_t>(reason)].Add();
}

Admission::Counts Admission::CountsOf(Kind kind) const {
  Counts sum;
  for (const auto& gates : gates_) {
    const CountedGate& gate = kind == Kind::kWrites    ? gates->writes
                              : kind == Kind::kRecalls ? gates->recalls
                                                       : gates->scatters;
    sum.running += gate.running.value();
    sum.waiting += gate.waiting.value();
    for (size_t i = 0; i < sum.shed.size(); ++i) sum.shed[i] += gate.shed[i].value();
  }
  return sum;
}

Admission::LoopGates& Admission::GatesOf(const net::EventLoop& loop) {
  auto it =
      std::find_if(gates_.begin(), gates_.end(), [&](const auto& g) { return g->loop == &loop; });
  ABSL_HARDENING_ASSERT(it != gates_.end());
  return **it;
}

absl::Status Admission::Overloaded(const SpaceId& space, Duration retry_after) const {
  ErrorDetail detail{ErrorCode::kOverloaded, "", space.value(), self_.value(), retry_after};
  return MakeError(detail, "the node has more requests than it can answer in time");
}

}  // namespace engram::server
