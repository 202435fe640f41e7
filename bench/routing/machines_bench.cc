// What the small machines of the routing core cost per call, alone and with a second thread at the
// same node: `tools/bench machines`. SPEC §7: a breaker check takes at most 20 ns.
#include <benchmark/benchmark.h>

#include "engram/base/mutex.h"
#include "engram/routing/admission_gate.h"
#include "engram/routing/node_table.h"

namespace engram::routing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1000)};

// Static in each measurement: its threads share one, no two measurements do.
struct Node {
  NodeState state{NodeId("n"), NodeOptions{}};
  std::mt19937_64 random{1};
};

void BreakerClosed(benchmark::State& state) {
  static Node node;
  for (auto _ : state) benchmark::DoNotOptimize(node.state.reads.Admit(kStart));
}

void BreakerClosedWithSuccess(benchmark::State& state) {
  static Node node;
  for (auto _ : state) {
    auto ticket = node.state.reads.Admit(kStart);
    node.state.reads.OnSuccess(*ticket, kStart);
  }
}

void BreakerOpen(benchmark::State& state) {
  static Node& node = *[] {
    auto* open = new Node;
    while (auto ticket = open->state.reads.Admit(kStart))
      open->state.reads.OnFailure(*ticket, kStart, open->random);
    return open;
  }();
  for (auto _ : state) benchmark::DoNotOptimize(node.state.reads.Admit(kStart));
}

// What the same check would cost behind a lock.
void BreakerBehindAMutex(benchmark::State& state) {
  static Mutex mutex;
  static int failures = 0;
  for (auto _ : state) {
    WriterLock lock(&mutex);
    benchmark::DoNotOptimize(failures);
  }
}

// A clock that goes on as fast as that many requests a second would let it.
class Clock {
 public:
  explicit Clock(int64_t per_second) : step_(seconds(1) / per_second) {}
  TimePoint Next() { return now_ += step_; }

 private:
  const Duration step_;
  TimePoint now_ = kStart;
};

void BudgetRequest(benchmark::State& state) {
  static Node node;
  Clock clock(100'000);
  for (auto _ : state) node.state.budget.OnRequest(clock.Next());
}

void BudgetWithdrawWhenEmpty(benchmark::State& state) {
  static Node node;
  while (node.state.budget.TryWithdraw(kStart)) continue;
  for (auto _ : state) benchmark::DoNotOptimize(node.state.budget.TryWithdraw(kStart));
}

void LatencyOfACall(benchmark::State& state) {
  static Node node;
  Clock clock(100'000);
  for (auto _ : state) {
    node.state.latency.Begin();
    node.state.latency.End(microseconds(300), clock.Next());
  }
}

void LatencyCost(benchmark::State& state) {
  static Node node;
  node.state.latency.Begin();
  node.state.latency.End(microseconds(300), kStart);
  for (auto _ : state)
    benchmark::DoNotOptimize(node.state.latency.Cost(kStart + milliseconds(100)));
}

void QuantileObserve(benchmark::State& state) {
  static Node node;
  Clock clock(100'000);
  for (auto _ : state) node.state.quantile.Observe(microseconds(300), clock.Next());
}

void QuantileP95(benchmark::State& state) {
  static Node node;
  for (int i = 0; i < 100; ++i) node.state.quantile.Observe(microseconds(300), kStart);
  for (auto _ : state) benchmark::DoNotOptimize(node.state.quantile.P95());
}

BENCHMARK(BreakerClosed)->ThreadRange(1, 2);
BENCHMARK(BreakerClosedWithSuccess)->ThreadRange(1, 2);
BENCHMARK(BreakerOpen)->ThreadRange(1, 2);
BENCHMARK(BreakerBehindAMutex)->ThreadRange(1, 2);
BENCHMARK(BudgetRequest)->ThreadRange(1, 2);
BENCHMARK(BudgetWithdrawWhenEmpty)->ThreadRange(1, 2);
BENCHMARK(LatencyOfACall)->ThreadRange(1, 2);
BENCHMARK(LatencyCost)->ThreadRange(1, 2);
BENCHMARK(QuantileObserve)->ThreadRange(1, 2);
BENCHMARK(QuantileP95)->ThreadRange(1, 2);

// Belongs to one loop, so to one thread.
void GateEnterAndLeave(benchmark::State& state) {
  AdmissionGate gate{AdmissionOptions{}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(gate.Enter());
    gate.Leave(kStart);
  }
}
BENCHMARK(GateEnterAndLeave);

// What a shed request costs, beside its bytes.
void GateShed(benchmark::State& state) {
  AdmissionGate gate({.running_max = 1, .waiting_max = 0});
  gate.Enter();
  for (auto _ : state)
    benchmark::DoNotOptimize(gate.Wait(kStart, kNever, [](AdmissionGate::Turn) {}));
}
BENCHMARK(GateShed);

}  // namespace
}  // namespace engram::routing

BENCHMARK_MAIN();
