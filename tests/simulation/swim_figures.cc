#include "simulation/swim_figures.h"

#include <algorithm>

namespace engram::simulation {
namespace {

using membership::Change;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kSettled = seconds(5);
constexpr size_t kOfThePaper = 128;

SwimSimOptions Nodes(size_t nodes, uint64_t seed) {
  SwimSimOptions options;
  options.nodes = nodes;
  options.seed = seed;
  return options;
}

// When each of the others first noted it, since `from`, ascending.
std::vector<Duration> Noted(const SwimCluster& cluster, size_t subject, Change change,
                            TimePoint from) {
  std::vector<Duration> noted;
  std::vector<bool> has(cluster.size());
  for (const SwimEvent& event : cluster.events()) {
    if (event.subject != subject || event.change != change || event.at < from) continue;
    if (event.observer == subject || has[event.observer]) continue;
    has[event.observer] = true;
    noted.push_back(event.at - from);
  }
  return noted;
}

size_t CountOf(const SwimCluster& cluster, Change change) {
  return static_cast<size_t>(
      std::count_if(cluster.events().begin(), cluster.events().end(),
                    [&](const SwimEvent& event) { return event.change == change; }));
}

struct Sent {
  uint64_t bytes = 0;
  uint64_t datagrams = 0;
};

Sent SentBy(const SwimCluster& cluster) {
  Sent sent;
  for (size_t i = 0; i < cluster.size(); ++i) {
    sent.bytes += cluster.swim(i).counters().sent_bytes;
    sent.datagrams += cluster.swim(i).counters().sent;
  }
  return sent;
}

}  // namespace

std::optional<CrashFigures> MeasureCrash(size_t nodes, uint64_t seed) {
  SwimCluster cluster(Nodes(nodes, seed));
  cluster.StartFormed();
  cluster.Run(kSettled);
  cluster.Kill(1);
  const TimePoint killed = cluster.now();
  while (cluster.HoldIt(1, membership::MemberState::kDead) < nodes - 1) {
    if (cluster.now() - killed > seconds(60)) return std::nullopt;
    cluster.Run(milliseconds(100));
  }
  const std::vector<Duration> noted = Noted(cluster, 1, Change::kDied, killed);
  return CrashFigures{noted.front(), noted.back(), cluster.FalseDeaths()};
}

std::vector<double> RoundsUntilKnown(size_t nodes, double loss, uint64_t seed) {
  SwimSimOptions options = Nodes(nodes, seed);
  options.link.loss = loss;
  // Without the full states that mend what gossip misses.
  options.swim.exchange_period = std::chrono::hours(1);
  SwimCluster cluster(options);
  cluster.StartFormed();
  cluster.Run(seconds(2));
  const TimePoint left = cluster.now();
  cluster.Leave(1);
  cluster.Run(seconds(20));
  std::vector<double> rounds;
  for (Duration after : Noted(cluster, 1, Change::kLeft, left)) {
    rounds.push_back(std::chrono::duration<double>(after) / options.swim.gossip_period);
  }
  return rounds;
}

size_t FalseDeathsOfHealthy(const membership::SwimOptions& swim, size_t starved, uint64_t seed) {
  SwimSimOptions options = Nodes(kOfThePaper, seed);
  options.swim = swim;
  SwimCluster cluster(options);
  cluster.StartFormed();
  cluster.Run(seconds(15));
  for (const TimePoint end = cluster.now() + seconds(120); cluster.now() < end;) {
    const Duration blocked = milliseconds(16'384);
    for (size_t i = 0; i < starved; ++i) cluster.network().Stall(i, cluster.now() + blocked);
    cluster.Run(blocked + milliseconds(64));
  }
  return static_cast<size_t>(
      std::count_if(cluster.events().begin(), cluster.events().end(), [&](const SwimEvent& event) {
        return event.change == Change::kDied && event.subject >= starved;
      }));
}

HealthyFigures MeasureHealthy(size_t nodes, Duration length, uint64_t seed) {
  SwimCluster cluster(Nodes(nodes, seed));
  cluster.StartFormed();
  cluster.Run(length);
  return {CountOf(cluster, Change::kSuspected), CountOf(cluster, Change::kDied)};
}

IdleFigures MeasureIdle(size_t nodes, Duration length, uint64_t seed) {
  const SwimSimOptions options = Nodes(nodes, seed);
  SwimCluster cluster(options);
  cluster.StartFormed();
  cluster.Run(seconds(60));
  const Sent before = SentBy(cluster);
  cluster.Run(length);
  const Sent after = SentBy(cluster);
  const double node_seconds =
      std::chrono::duration<double>(length).count() * static_cast<double>(nodes);
  // Each node sends one when it begins an exchange, and answers one on average.
  const double states_per_second =
      2 / std::chrono::duration<double>(options.swim.exchange_period).count();
  return {static_cast<double>(after.bytes - before.bytes) / node_seconds,
          static_cast<double>(after.datagrams - before.datagrams) / node_seconds,
          states_per_second * static_cast<double>(cluster.swim(0).FullStateBytes().size())};
}

}  // namespace engram::simulation
