// What is measured of membership in simulated clusters, for the tests, which judge it, and for
// `tools/bench membership`, which prints it. A seed gives the same figures in every run.
#pragma once

#include <optional>
#include <vector>

#include "simulation/swim_cluster.h"

namespace engram::simulation {

// From kill -9 of one node of a formed cluster until others hold it dead.
struct CrashFigures {
  Duration first;
  Duration all;
  size_t false_deaths;
};
// nullopt unless all others hold it dead within a minute. REQUIRES: nodes >= 2.
std::optional<CrashFigures> MeasureCrash(size_t nodes, uint64_t seed);

// News that one node has (that it leaves), spread by gossip alone: for each other node that got to
// know, after how many periods of gossip, ascending.
std::vector<double> RoundsUntilKnown(size_t nodes, double loss, uint64_t seed);

// Slow message handling, by the method of the Lifeguard paper (Dadgar et al., 2018, §V): of 128
// nodes some handle no message for 16,384 ms, then for 64 ms all that come, again and again for two
// minutes. The result is how many deaths anybody declared of nodes that were never starved.
size_t FalseDeathsOfHealthy(const membership::SwimOptions& swim, size_t starved, uint64_t seed);

// What was said against anybody, in a cluster with which nothing is wrong.
struct HealthyFigures {
  size_t suspicions = 0;
  size_t deaths = 0;
};
HealthyFigures MeasureHealthy(size_t nodes, Duration length, uint64_t seed);

// What one idle node sends, on average, in bytes a second.
struct IdleFigures {
  double datagrams;       // without headers
  double datagram_count;  // a second
  double full_states;     // over RPC, without what HTTP/2 adds
};
IdleFigures MeasureIdle(size_t nodes, Duration length, uint64_t seed);

}  // namespace engram::simulation
