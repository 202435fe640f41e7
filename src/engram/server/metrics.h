// What a node counts of its own routing (SPEC R16), and the names under which all its metrics are
// shown. docs/METRICS.md lists them; a test holds it to this table.
//
// Counting is cheap enough for every request: each event loop has counters of its own, which only
// it writes, relaxed, without a lock, an allocation or a locked instruction; they are summed up
// when somebody looks (server/node_metrics.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engram/base/error.h"
#include "engram/base/time.h"
#include "engram/net/counters.h"
#include "engram/routing/decision.h"

namespace engram::server {

enum class Metric : uint8_t {
  kRoutingDuration,
  kRoutingHops,
  kRoutingRedirects,
  kRoutingLookups,
  kRoutingStale,
  kRoutingRetries,
  kRoutingFallbacks,
  kRoutingHedges,
  kRoutingBreakerRefusals,
  kRoutingBudgetRefusals,
  kPeerRequests,
  kOverloadSheds,
  kAdmissionRunning,
  kAdmissionWaiting,
  kAdmissionSheds,
  kTableSpaces,
  kTableVersion,
  kTableAge,
  kTableBytes,
  kTableRefused,
  kPoolNodes,
  kPoolChannels,
  kPoolChannelsReady,
  kPoolHits,
  kPoolConnectionsOpened,
  kBreakerState,
  kBreakerOpenings,
  kBreakerProbes,
  kNodeLatency,
  kNodeLatencyP95,
  kNodePending,
  kNodeRetryBudget,
  kMembers,
  kConnectivity,
  kMembersReachable,
  kMembersTotal,
  kAwareness,
  kGossipReceived,
  kGossipSent,
  kGossipSentBytes,
  kProbes,
  kProbesFailed,
  kReachedByRpcOnly,
  kRefutations,
  kIdConflicts,
  kPauses,
  kGossipRecordsHeard,
  kGossipRecordsLearnt,
  kGossipRecordsRefused,
  kGossipComparisons,
  kGossipComparisonsFailed,
  kReplicationFrames,
  kReplicationBytes,
  kReplicationMessages,
  kReplicationDropped,
  kReplicationIgnored,
  kReplicationRefused,
  kReplicationStreamsOpened,
  kReplicationStreamsLost,
  kReplicationPortsRefused,
  kReplicationPiecesCompared,
  kReplicationPiecesMended,
  kTombstones,
  kTombstonesCollected,
  kNodeInfo,
  kProcessResidentBytes,
  kProcessStartTime,
  kProcessCpu,
};

enum class MetricType : uint8_t { kCounter, kGauge, kHistogram };
std::string_view NameOf(MetricType type);

struct MetricInfo {
  Metric metric;
  std::string_view name;
  MetricType type;
  std::string_view labels;  // "strategy, outcome"; "" without
  std::string_view help;
};

// Every metric but those of the wire, in the order of Metric.
std::span<const MetricInfo> MetricInfos();
const MetricInfo& InfoOf(Metric metric);
// The wire's (net/counters.h) are this, the counter's name, and "_total" for what only grows.
inline constexpr std::string_view kWirePrefix = "engram_wire_";

// One routed request, when its answer is known.
struct RoutedSample {
  routing::Strategy strategy = routing::Strategy::kLocal;
  ErrorCode outcome = ErrorCode::kUnspecified;  // kUnspecified: served
  Duration took{};
  int hops = 0;  // forwards: the first, and one for each redirect that was followed
  int redirects = 0;
  int lookups = 0;  // times that all nodes were asked who holds the space
  int fallbacks = 0;
  int hedges = 0;
  int breaker_refusals = 0;
  int budget_refusals = 0;
  // It met a redirect, or learned a newer assignment on success.
  bool stale = false;
  // For each repeat try at a node, the error that it was made for. Read within Record().
  std::span<const ErrorCode> retries = {};
};

// The counts of RoutedSample that are only added up, and the metric of each.
struct RoutedCount {
  Metric metric;
  int RoutedSample::*field;
};
inline constexpr std::array kRoutedCounts = {
    RoutedCount{Metric::kRoutingHops, &RoutedSample::hops},
    RoutedCount{Metric::kRoutingRedirects, &RoutedSample::redirects},
    RoutedCount{Metric::kRoutingLookups, &RoutedSample::lookups},
    RoutedCount{Metric::kRoutingFallbacks, &RoutedSample::fallbacks},
    RoutedCount{Metric::kRoutingHedges, &RoutedSample::hedges},
    RoutedCount{Metric::kRoutingBreakerRefusals, &RoutedSample::breaker_refusals},
    RoutedCount{Metric::kRoutingBudgetRefusals, &RoutedSample::budget_refusals},
};

// Times in buckets, each twice as wide as the one before it: an observation of d falls into the
// first bucket i with d <= 1 us x 2^i, and into the last if there is none.
class DurationHistogram {
 public:
  static constexpr size_t kBuckets = 26;  // 1 us .. 16.8 s, and all above

  static size_t BucketOf(Duration took);
  // Seconds; infinity for the last.
  static double UpperBound(size_t bucket);

  void Observe(Duration took) {
    buckets_[BucketOf(took)].Add();
    nanoseconds_.Add(static_cast<uint64_t>(took.count()));
  }

  // Adds to both; `buckets` has kBuckets elements.
  void AddTo(std::span<uint64_t> buckets, double& seconds) const;

 private:
  std::array<net::Counter, kBuckets> buckets_;
  net::Counter nanoseconds_;
};

class RoutingMetrics {
 public:
  // Of routing::Strategy; one that has no name yet counts too.
  static constexpr size_t kStrategiesMax = 8;

  struct Durations {
    std::array<uint64_t, DurationHistogram::kBuckets> buckets{};
    double seconds = 0;
    uint64_t count() const;
  };

  explicit RoutingMetrics(size_t loops) : loops_(loops) {}

  // A request of a client, with its answer. On the loop of that index.
  void Record(size_t loop_index, const RoutedSample& sample);
  // A request that another node passed on to this one. On the loop of that index.
  void RecordPeer(size_t loop_index, ErrorCode outcome) {
    loops_[loop_index].peer[static_cast<size_t>(outcome)].Add();
  }

  // Sums over the loops. Any thread.
  Durations DurationsOf(size_t strategy, ErrorCode outcome) const;
  uint64_t CountOf(size_t routed_count) const;  // index into kRoutedCounts
  uint64_t stale() const;
  uint64_t RetriesFor(ErrorCode reason) const;
  uint64_t PeerRequests(ErrorCode outcome) const;

 private:
  using ByCode = std::array<net::Counter, kErrorCodeCount>;
  struct alignas(64) Loop {
    std::array<std::array<DurationHistogram, kErrorCodeCount>, kStrategiesMax> durations;
    std::array<net::Counter, kRoutedCounts.size()> counts;
    net::Counter stale;
    ByCode retries;
    ByCode peer;
  };

  std::vector<Loop> loops_;
};

}  // namespace engram::server
