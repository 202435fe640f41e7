// The steps of a routed request beside the look-up: decision, start of the plan, breaker, channel.
#include <fmt/format.h>
#include <malloc.h>

#include <chrono>
#include <functional>
#include <future>

#include "engram/net/connection_pool.h"
#include "engram/net/event_loop.h"
#include "engram/routing/call_plan.h"
#include "engram/routing/circuit_breaker.h"
#include "engram/routing/decision.h"
#include "engram/routing/routing_table.h"
#include "report.h"
#include "workload.h"

namespace engram::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Times {
  double p50_ns = 0;
  double p99_ns = 0;
};

// Of batches of 64, as the clock itself takes longer than some of the steps.
Times Time(double seconds, const std::function<void(size_t)>& batch_from) {
  constexpr size_t kBatch = 64;
  std::vector<double> ns;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (size_t at = 0; Clock::now() < end; at += kBatch) {
    const auto start = Clock::now();
    batch_from(at);
    ns.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kBatch);
  }
  return {Median(ns), Quantile(ns, 0.99)};
}

template <class Step>
Times TimeSteps(double seconds, Step step) {
  return Time(seconds, [&](size_t at) {
    for (size_t i = 0; i < 64; ++i) step(at + i);
  });
}

void AddGoal(Goals& goals, const char* what, const Times& times, double goal_ns, bool of_p99) {
  goals.push_back({what, fmt::format("p50 {:.0f} ns, p99 {:.0f} ns", times.p50_ns, times.p99_ns),
                   fmt::format("{:.0f} ns {}", goal_ns, of_p99 ? "p99" : "p50"),
                   (of_p99 ? times.p99_ns : times.p50_ns) < goal_ns});
}

void BenchDecision(double seconds, Goals& goals) {
  Workload workload(100'000);
  routing::RoutingTable table(workload.nodes());
  std::vector<placement::Assignment> all;
  for (size_t s = 0; s < workload.size(); ++s) all.push_back(workload.AssignmentOf(s, 0));
  table.Apply(all);
  const routing::NodeIndex self = workload.nodes().Intern(NodeId("entry"));
  const routing::View view{workload.nodes(), self, {}};
  const TimePoint now{std::chrono::seconds(1)};
  std::mt19937_64 random(1);
  auto decide = [&](size_t i) {
    const std::string& space = workload.queries()[i % workload.size()];
    const routing::Knowledge knowledge{table.Find(space), std::nullopt, self};
    return Decide(routing::Operation::kGet, {}, knowledge, view, now, random);
  };
  size_t candidates = 0;
  AddGoal(goals, "whole routing decision, its look-up included",
          TimeSteps(seconds, [&](size_t i) { candidates += decide(i).candidates.size(); }), 1'000,
          true);
  if (candidates == 0) std::abort();

  const routing::CallPlanOptions options;
  std::vector<routing::Decision> decisions;
  for (size_t i = 0; i < 1'000; ++i) decisions.push_back(decide(i));
  const Times start = TimeSteps(seconds, [&](size_t i) {
    const routing::CallRequest request{routing::Operation::kGet,
                                       workload.queries()[i % 1'000],
                                       {},
                                       now + std::chrono::seconds(10)};
    routing::CallPlan plan(request, decisions[i % 1'000], self, workload.nodes(), options, random);
    if (!std::holds_alternative<routing::CallPlan::Send>(plan.Start(now))) std::abort();
  });
  fmt::print("\nstart of a plan, a copy of the decision included: p50 {:.0f} ns, p99 {:.0f} ns\n",
             start.p50_ns, start.p99_ns);
}

void BenchBreaker(double seconds, Goals& goals) {
  routing::CircuitBreaker breaker{routing::BreakerOptions{}};
  const TimePoint now{std::chrono::seconds(1)};
  size_t admitted = 0;
  AddGoal(goals, "breaker check, closed",
          TimeSteps(seconds, [&](size_t) { admitted += breaker.Admit(now).has_value() ? 1 : 0; }),
          20, false);
  if (admitted == 0) std::abort();
}

// On the loop's own thread, as a request does it.
void OnLoop(net::EventLoopGroup& loops, std::function<void()> work) {
  std::promise<void> done;
  loops.at(0).Post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

void BenchPool(double seconds, Goals& goals) {
  constexpr size_t kNodes = 100;
  constexpr size_t kChannels = 4;
  net::EventLoopGroup loops(1);
  loops.Start();
  net::ConnectionPool pool(loops, {}, kChannels);
  std::vector<NodeId> nodes;
  for (size_t n = 0; n < kNodes; ++n)
    nodes.emplace_back(fmt::format("01J8ZQ5T9X2M4K7NODE{:07}", n));
  const std::string address = "127.0.0.1:50051";  // nothing is sent there
  Times times;
  double bytes = 0;
  OnLoop(loops, [&] {
    const size_t before = mallinfo2().uordblks;
    for (const NodeId& node : nodes) {
      for (size_t c = 0; c < kChannels; ++c) pool.Get(0, node, address);
    }
    bytes = static_cast<double>(mallinfo2().uordblks - before);
    times = TimeSteps(seconds, [&](size_t i) {
      if (pool.Get(0, nodes[i % kNodes], address) == nullptr) std::abort();
    });
  });
  pool.Close();
  loops.Stop();
  AddGoal(goals, "pooled channel acquisition, 100 nodes", times, 100, false);
  goals.push_back({"100 nodes of 4 channels each before use, on one loop",
                   fmt::format("{:.0f} KB", bytes / 1e3), "1 MB", bytes < 1e6});
}

}  // namespace

void BenchParts(const BenchOptions& options, Goals& goals) {
  BenchDecision(options.seconds, goals);
  BenchBreaker(options.seconds, goals);
  BenchPool(options.seconds, goals);
}

}  // namespace engram::bench
