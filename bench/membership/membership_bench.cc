// Measures simulated membership and prints it for tools/lib/bench_membership: one row a line,
// fields separated by tabs, the first of which says what the others are (the functions below).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>

#include "simulation/swim_figures.h"

namespace engram::simulation {
namespace {

struct Scale {
  size_t nodes;
  uint64_t seeds;
};

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Runs of many minutes: each line is seen when it is known.
template <class... Args>
void Row(fmt::format_string<Args...> format, Args&&... args) {
  fmt::print(format, std::forward<Args>(args)...);
  std::fflush(stdout);
}

// crash, nodes, seed, seconds until the first knows, until all know (-1: not in a minute), false
// deaths
void Crashes(const Scale& scale) {
  for (uint64_t seed = 1; seed <= scale.seeds; ++seed) {
    const auto crash =
        MeasureCrash(scale.nodes, seed)
            .value_or(CrashFigures{std::chrono::seconds(-1), std::chrono::seconds(-1), 0});
    Row("crash\t{}\t{}\t{:.3f}\t{:.3f}\t{}\n", scale.nodes, seed, Seconds(crash.first),
        Seconds(crash.all), crash.false_deaths);
  }
}

// spread, nodes, seed, then for each node that got to know after how many rounds
void Spreads(const Scale& scale) {
  for (uint64_t seed = 1; seed <= scale.seeds; ++seed) {
    const std::vector<double> rounds = RoundsUntilKnown(scale.nodes, 0, seed);
    Row("spread\t{}\t{}\t{:.3f}\n", scale.nodes, seed, fmt::join(rounds, "\t"));
  }
}

// starved, nodes of 128, seed, false deaths with plain SWIM, with Lifeguard
void Starved(size_t starved, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const size_t plain = FalseDeathsOfHealthy(PlainSwim(), starved, seed);
    const size_t lifeguard = FalseDeathsOfHealthy({}, starved, seed);
    Row("starved\t{}\t{}\t{}\t{}\n", starved, seed, plain, lifeguard);
  }
}

// healthy, nodes, seed, hours, suspicions, deaths
void Healthy(const Scale& scale, int hours) {
  for (uint64_t seed = 1; seed <= scale.seeds; ++seed) {
    const HealthyFigures healthy = MeasureHealthy(scale.nodes, std::chrono::hours(hours), seed);
    Row("healthy\t{}\t{}\t{}\t{}\t{}\n", scale.nodes, seed, hours, healthy.suspicions,
        healthy.deaths);
  }
}

// idle, nodes, bytes/s in datagrams, datagrams/s, bytes/s in full states
void Idle(size_t nodes) {
  const IdleFigures idle = MeasureIdle(nodes, std::chrono::minutes(10), 1);
  Row("idle\t{}\t{:.1f}\t{:.2f}\t{:.1f}\n", nodes, idle.datagrams, idle.datagram_count,
      idle.full_states);
}

}  // namespace
}  // namespace engram::simulation

int main(int argc, char** argv) {
  using namespace engram::simulation;  // NOLINT(google-build-using-namespace): all of this file
  bool quick = false;
  CLI::App app("Measures simulated membership; prints rows for tools/lib/bench_membership");
  app.add_flag("--quick", quick, "few seeds, an hour for the day, and at most 100 nodes");
  CLI11_PARSE(app, argc, argv);
  const uint64_t few = quick ? 2 : 5;
  std::vector<Scale> scales = {{10, 100}, {100, 20}};
  if (!quick) scales.push_back({1'000, 5});
  for (const Scale& scale : scales) {
    Crashes(scale);
    Spreads(scale);
  }
  for (size_t starved : {1, 4, 8, 16, 32}) Starved(starved, quick ? 1 : 3);
  Idle(5);
  Idle(100);
  const int hours = quick ? 1 : 24;
  Healthy({10, few}, hours);
  Healthy({100, quick ? 1U : 2U}, hours);
}
