#include "engram/server/node_metrics.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "engram/base/file.h"
#include "engram/server/cluster_metrics.h"
#include "engram/server/metric_families.h"
#include "engram/server/metrics.h"
#include "engram/server/replication_metrics.h"
#include "engram/server/version.h"

namespace engram::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

// Loops that do not answer within this time are not waited for: then there is no pool to show.
constexpr Duration kPoolLimit = std::chrono::milliseconds(500);

// "ok", "circuit_breaker_open"...
std::string OutcomeName(ErrorCode code) {
  if (code == ErrorCode::kUnspecified) return "ok";
  std::string name(InfoOf(code).name);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return name;
}

ErrorCode CodeAt(int i) { return static_cast<ErrorCode>(i); }

std::string StrategyName(size_t strategy) {
  return std::string(routing::NameOf(static_cast<routing::Strategy>(strategy)));
}

ClientMetric ToHistogram(const RoutingMetrics::Durations& durations) {
  ClientMetric metric;
  uint64_t so_far = 0;
  for (size_t i = 0; i < durations.buckets.size(); ++i) {
    so_far += durations.buckets[i];
    metric.histogram.bucket.push_back({so_far, DurationHistogram::UpperBound(i)});
  }
  metric.histogram.sample_count = so_far;
  metric.histogram.sample_sum = durations.seconds;
  return metric;
}

// A series for each pair that has occurred: most never do.
void AddDurations(Families& out, const RoutingMetrics& metrics) {
  MetricFamily& family = AddFamily(out, Metric::kRoutingDuration);
  for (size_t strategy = 0; strategy < RoutingMetrics::kStrategiesMax; ++strategy) {
    for (int code = 0; code < kErrorCodeCount; ++code) {
      const RoutingMetrics::Durations durations = metrics.DurationsOf(strategy, CodeAt(code));
      if (durations.count() == 0) continue;
      ClientMetric metric = ToHistogram(durations);
      metric.label = {{"strategy", StrategyName(strategy)}, {"outcome", OutcomeName(CodeAt(code))}};
      family.metric.push_back(std::move(metric));
    }
  }
}

void AddByCode(Families& out, Metric metric, const char* label, const RoutingMetrics& metrics,
               uint64_t (RoutingMetrics::*count)(ErrorCode) const) {
  MetricFamily& family = AddFamily(out, metric);
  for (int code = 0; code < kErrorCodeCount; ++code) {
    const uint64_t n = (metrics.*count)(CodeAt(code));
    if (n > 0) AddValue(family, static_cast<double>(n), {{label, OutcomeName(CodeAt(code))}});
  }
}

uint64_t Sheds(const RoutingMetrics& metrics) {
  uint64_t sum = metrics.PeerRequests(ErrorCode::kOverloaded);
  for (routing::Strategy here : {routing::Strategy::kLocal, routing::Strategy::kLocalOnly,
                                 routing::Strategy::kScatterGather}) {
    sum += metrics.DurationsOf(static_cast<size_t>(here), ErrorCode::kOverloaded).count();
  }
  return sum;
}

void AddRouting(Families& out, const RoutingMetrics& metrics) {
  AddDurations(out, metrics);
  for (size_t i = 0; i < kRoutedCounts.size(); ++i) {
    AddOne(out, kRoutedCounts[i].metric, metrics.CountOf(i));
  }
  AddOne(out, Metric::kRoutingStale, metrics.stale());
  AddByCode(out, Metric::kRoutingRetries, "reason", metrics, &RoutingMetrics::RetriesFor);
  AddByCode(out, Metric::kPeerRequests, "outcome", metrics, &RoutingMetrics::PeerRequests);
  AddOne(out, Metric::kOverloadSheds, Sheds(metrics));
}

template <class Value>
double SumOf(const net::EventLoopGroup& loops, Value net::Counters::*counter) {
  double sum = 0;
  for (size_t i = 0; i < loops.size(); ++i) {
    sum += static_cast<double>((loops.at(i).counters().*counter).value());
  }
  return sum;
}

void AddWire(Families& out, const net::EventLoopGroup& loops) {
  constexpr std::string_view kHelp = "See docs/METRICS.md.";
  for (const net::CounterName& c : net::CounterNames()) {
    AddValue(
        AddFamily(out, fmt::format("{}{}_total", kWirePrefix, c.name), kHelp, MetricType::kCounter),
        SumOf(loops, c.counter));
  }
  for (const net::GaugeName& g : net::GaugeNames()) {
    AddValue(AddFamily(out, fmt::format("{}{}", kWirePrefix, g.name), kHelp, MetricType::kGauge),
             SumOf(loops, g.gauge));
  }
}

double Seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

using Nodes = std::vector<const routing::NodeState*>;

// A value for each node that has one.
template <class ValueOf>
void AddByNode(Families& out, Metric metric, const Nodes& nodes, ValueOf value_of) {
  MetricFamily& family = AddFamily(out, metric);
  for (const routing::NodeState* node : nodes) {
    const std::optional<double> value = value_of(*node);
    if (value.has_value()) AddValue(family, *value, {{"node", node->id.value()}});
  }
}

double StateValue(routing::CircuitBreaker::State state) {
  using State = routing::CircuitBreaker::State;
  if (state == State::kClosed) return 0;
  return state == State::kHalfOpen ? 1 : 2;
}

template <class ValueOf>
void AddByBreaker(Families& out, Metric metric, const Nodes& nodes, ValueOf value_of) {
  MetricFamily& family = AddFamily(out, metric);
  for (const routing::NodeState* node : nodes) {
    AddValue(family, value_of(node->reads), {{"node", node->id.value()}, {"operations", "reads"}});
    AddValue(family, value_of(node->writes),
             {{"node", node->id.value()}, {"operations", "writes"}});
  }
}

void AddBreakers(Families& out, const Nodes& nodes, TimePoint now) {
  using routing::CircuitBreaker;
  AddByBreaker(out, Metric::kBreakerState, nodes,
               [now](const CircuitBreaker& breaker) { return StateValue(breaker.state(now)); });
  AddByBreaker(out, Metric::kBreakerOpenings, nodes, [](const CircuitBreaker& breaker) {
    return static_cast<double>(breaker.openings());
  });
  AddByBreaker(out, Metric::kBreakerProbes, nodes,
               [](const CircuitBreaker& breaker) { return static_cast<double>(breaker.probes()); });
}

double ResidentBytes() {
  // Pages: all, resident, ...
  const std::string pages = ReadFile("/proc/self/statm").value_or("");
  const size_t space = pages.find(' ');
  if (space == std::string::npos) return 0;
  return std::strtod(pages.c_str() + space, nullptr) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

NodeMetrics::NodeMetrics(NodeContext& context, const Admission& admission, WallMillis started)
    : context_(context),
      admission_(admission),
      started_(started),
      table_version_(context.table.version()),
      table_changed_(Now()) {}

std::vector<MetricFamily> NodeMetrics::Collect() const {
  Families out;
  AddValue(AddFamily(out, Metric::kNodeInfo), 1,
           {{"node", context_.self.value()},
            {"cluster", context_.config.cluster},
            {"version", std::string(kVersion)}});
  AddRouting(out, context_.metrics);
  AddAdmission(out);
  AddTable(out);
  AddNodes(out);
  AddPool(out);
  AddCluster(out, context_.directory);
  static const cluster::ReplicationCounters kNoStreams;
  AddReplication(
      out, context_.replication_streams != nullptr ? *context_.replication_streams : kNoStreams);
  AddTombstones(out);
  AddWire(out, context_.loops);
  AddOne(out, Metric::kProcessResidentBytes, ResidentBytes());
  AddOne(out, Metric::kProcessStartTime, static_cast<double>(ToInt(started_)) * 1e-3);
  AddOne(out, Metric::kProcessCpu, CpuSeconds());
  return out;
}

void NodeMetrics::AddTombstones(Families& out) const {
  const auto counts = context_.tombstones ? context_.tombstones() : memory::TombstoneCounts();
  AddOne(out, Metric::kTombstones, counts.there);
  AddOne(out, Metric::kTombstonesCollected, counts.collected);
}

void NodeMetrics::AddAdmission(Families& out) const {
  const std::pair<std::string, Admission::Counts> kinds[] = {
      {"writes", admission_.CountsOf(Admission::Kind::kWrites)},
      {"recalls", admission_.CountsOf(Admission::Kind::kRecalls)},
      {"scatters", admission_.CountsOf(Admission::Kind::kScatters)}};
  MetricFamily& running = AddFamily(out, Metric::kAdmissionRunning);
  for (const auto& [name, counts] : kinds) {
    AddValue(running, static_cast<double>(counts.running), {{"operations", name}});
  }
  MetricFamily& waiting = AddFamily(out, Metric::kAdmissionWaiting);
  for (const auto& [name, counts] : kinds) {
    AddValue(waiting, static_cast<double>(counts.waiting), {{"operations", name}});
  }
  MetricFamily& sheds = AddFamily(out, Metric::kAdmissionSheds);
  for (const auto& [name, counts] : kinds) {
    for (size_t i = 0; i < counts.shed.size(); ++i) {
      AddValue(sheds, static_cast<double>(counts.shed[i]),
               {{"operations", name}, {"reason", std::string(kShedReasonNames[i])}});
    }
  }
}

void NodeMetrics::AddTable(Families& out) const {
  const uint64_t version = context_.table.version();
  const TimePoint now = Now();
  if (std::exchange(table_version_, version) != version) table_changed_ = now;
  AddOne(out, Metric::kTableSpaces, uint64_t{context_.table.size()});
  AddOne(out, Metric::kTableVersion, version);
  AddOne(out, Metric::kTableBytes, uint64_t{context_.table.bytes()});
  AddOne(out, Metric::kTableRefused, context_.table.refused());
  AddOne(out, Metric::kTableAge, Seconds(now - table_changed_));
}

void NodeMetrics::AddNodes(Families& out) const {
  std::vector<const routing::NodeState*> nodes;
  for (size_t i = 0; i < context_.nodes.size(); ++i) {
    const routing::NodeState& node = context_.nodes.Of(routing::NodeIndex(i));
    if (node.id != context_.self) nodes.push_back(&node);
  }
  const TimePoint now = Now();
  AddBreakers(out, nodes, now);
  AddByNode(out, Metric::kNodeLatency, nodes, [now](const routing::NodeState& node) {
    const Duration estimate = node.latency.Estimate(now);
    return estimate > Duration::zero() ? std::optional(Seconds(estimate)) : std::nullopt;
  });
  AddByNode(out, Metric::kNodeLatencyP95, nodes, [](const routing::NodeState& node) {
    const std::optional<Duration> p95 = node.quantile.P95();
    return p95.has_value() ? std::optional(Seconds(*p95)) : std::nullopt;
  });
  AddByNode(out, Metric::kNodePending, nodes, [](const routing::NodeState& node) {
    return std::optional<double>(node.latency.pending());
  });
  AddByNode(out, Metric::kNodeRetryBudget, nodes, [now](const routing::NodeState& node) {
    return std::optional(node.budget.balance(now));
  });
}

void NodeMetrics::AddPool(Families& out) const {
  const double acquired = SumOf(context_.loops, &net::Counters::channels_acquired);
  const double opened = SumOf(context_.loops, &net::Counters::channels_opened);
  AddOne(out, Metric::kPoolHits, std::max(0.0, acquired - opened));
  AddOne(out, Metric::kPoolConnectionsOpened, SumOf(context_.loops, &net::Counters::connects));
  // Shared: the answer may come when nobody waits for it any more.
  auto promise = std::make_shared<std::promise<std::vector<net::NodeConnections>>>();
  auto answer = promise->get_future();
  context_.pool.Health(
      [promise](const std::vector<net::NodeConnections>& nodes) { promise->set_value(nodes); });
  if (answer.wait_for(kPoolLimit) != std::future_status::ready) return;
  const std::vector<net::NodeConnections> nodes = answer.get();
  AddOne(out, Metric::kPoolNodes, uint64_t{nodes.size()});
  MetricFamily& all = AddFamily(out, Metric::kPoolChannels);
  for (const net::NodeConnections& node : nodes) {
    AddValue(all, static_cast<double>(node.channels), {{"node", node.node.value()}});
  }
  MetricFamily& ready = AddFamily(out, Metric::kPoolChannelsReady);
  for (const net::NodeConnections& node : nodes) {
    AddValue(ready, static_cast<double>(node.ready), {{"node", node.node.value()}});
  }
}

std::string ToText(const prometheus::Collectable& metrics) {
  return prometheus::TextSerializer().Serialize(metrics.Collect());
}

}  // namespace engram::server
