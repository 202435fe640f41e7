#include "engram/server/metrics.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "absl/base/macros.h"

namespace engram::server {
namespace {

using enum MetricType;

constexpr std::array kInfos = {
    MetricInfo{Metric::kRoutingDuration, "engram_routing_request_duration_seconds", kHistogram,
               "strategy, outcome",
               "Requests of clients to this node, by how they were routed and how they ended: from "
               "the decision to the answer."},
    MetricInfo{Metric::kRoutingHops, "engram_routing_hops_total", kCounter, "",
               "Forwards: the first of a request, and one for each redirect that it followed."},
    MetricInfo{Metric::kRoutingRedirects, "engram_routing_redirects_total", kCounter, "",
               "Answers that another node holds the space."},
    MetricInfo{Metric::kRoutingLookups, "engram_routing_lookups_total", kCounter, "",
               "Times that all nodes were asked who holds a space."},
    MetricInfo{Metric::kRoutingStale, "engram_routing_stale_requests_total", kCounter, "",
               "Requests that met a redirect or learned a newer assignment."},
    MetricInfo{Metric::kRoutingRetries, "engram_routing_retries_total", kCounter, "reason",
               "Repeat tries at a node, by the error that they were made for."},
    MetricInfo{Metric::kRoutingFallbacks, "engram_routing_fallbacks_total", kCounter, "",
               "Tries at another holder after one had failed."},
    MetricInfo{Metric::kRoutingHedges, "engram_routing_hedges_total", kCounter, "",
               "Second holders that were asked because the first took long."},
    MetricInfo{Metric::kRoutingBreakerRefusals, "engram_routing_breaker_refusals_total", kCounter,
               "", "Tries that were not made because the node's circuit breaker was open."},
    MetricInfo{Metric::kRoutingBudgetRefusals, "engram_routing_budget_refusals_total", kCounter, "",
               "Repeat tries and hedges that were not made because the budget was used up."},
    MetricInfo{Metric::kPeerRequests, "engram_peer_requests_total", kCounter, "outcome",
               "Requests that other nodes passed on to this one."},
    MetricInfo{Metric::kOverloadSheds, "engram_overload_sheds_total", kCounter, "",
               "Requests, of clients and of other nodes, that this node refused as overloaded."},
    MetricInfo{Metric::kAdmissionRunning, "engram_admission_running", kGauge, "operations",
               "Writes or recalls that were admitted and are being worked on."},
    MetricInfo{Metric::kAdmissionWaiting, "engram_admission_waiting", kGauge, "operations",
               "Writes or recalls that wait to be admitted."},
    MetricInfo{Metric::kAdmissionSheds, "engram_admission_sheds_total", kCounter,
               "operations, reason", "Those that were not admitted."},
    MetricInfo{Metric::kTableSpaces, "engram_routing_table_spaces", kGauge, "",
               "Spaces whose assignment this node knows."},
    MetricInfo{Metric::kTableVersion, "engram_routing_table_version", kGauge, "",
               "Version of the routing table of this process; grows with each change."},
    MetricInfo{Metric::kTableAge, "engram_routing_table_age_seconds", kGauge, "",
               "Since the routing table last changed, as far as scrapes have seen."},
    MetricInfo{Metric::kTableBytes, "engram_routing_table_bytes", kGauge, "",
               "Memory that the routing table takes, estimated."},
    MetricInfo{Metric::kTableRefused, "engram_routing_table_refused_total", kCounter, "",
               "Assignments that the routing table refused: too many replicas, too long a name."},
    MetricInfo{Metric::kPoolNodes, "engram_pool_nodes", kGauge, "",
               "Nodes that the connection pool has channels to."},
    MetricInfo{Metric::kPoolChannels, "engram_pool_channels", kGauge, "node",
               "Channels to the node."},
    MetricInfo{Metric::kPoolChannelsReady, "engram_pool_channels_ready", kGauge, "node",
               "Those of them that are connected."},
    MetricInfo{Metric::kPoolHits, "engram_pool_hits_total", kCounter, "",
               "Channels that were there already when one was needed."},
    MetricInfo{Metric::kPoolConnectionsOpened, "engram_pool_connections_opened_total", kCounter, "",
               "Connections to other nodes that were begun."},
    MetricInfo{Metric::kBreakerState, "engram_node_breaker_state", kGauge, "node, operations",
               "Circuit breaker of reads or writes at the node: 0 closed, 1 half-open, 2 open."},
    MetricInfo{Metric::kBreakerOpenings, "engram_node_breaker_openings_total", kCounter,
               "node, operations", "Times that it opened."},
    MetricInfo{Metric::kBreakerProbes, "engram_node_breaker_probes_total", kCounter,
               "node, operations", "Probes that it let through to see whether the node is well."},
    MetricInfo{Metric::kNodeLatency, "engram_node_latency_seconds", kGauge, "node",
               "How long the node takes to answer: peak EWMA. None before its first answer."},
    MetricInfo{Metric::kNodeLatencyP95, "engram_node_latency_p95_seconds", kGauge, "node",
               "95th percentile of the same; none before some answers."},
    MetricInfo{Metric::kNodePending, "engram_node_pending_requests", kGauge, "node",
               "Requests of this node that are with the node now."},
    MetricInfo{Metric::kNodeRetryBudget, "engram_node_retry_budget", kGauge, "node",
               "Repeat tries and hedges at the node that its budget would pay now."},
    MetricInfo{Metric::kMembers, "engram_members", kGauge, "state",
               "Nodes that this one knows of, itself too, by what membership holds of them."},
    MetricInfo{Metric::kConnectivity, "engram_connectivity", kGauge, "state",
               "1 for the state that this node is in: in all but `connected` it serves only what "
               "it holds."},
    MetricInfo{Metric::kMembersReachable, "engram_members_reachable", kGauge, "",
               "Nodes that this one reaches, itself too."},
    MetricInfo{Metric::kMembersTotal, "engram_members_counted", kGauge, "",
               "Nodes that a majority is taken of: all but those that have left or were removed."},
    MetricInfo{Metric::kAwareness, "engram_membership_awareness", kGauge, "",
               "How much this node doubts itself: 0 not at all, at most the key awareness-max."},
    MetricInfo{Metric::kGossipReceived, "engram_gossip_received_total", kCounter, "verdict",
               "Datagrams that came, by what was made of them."},
    MetricInfo{Metric::kGossipSent, "engram_gossip_sent_total", kCounter, "",
               "Datagrams that were sent."},
    MetricInfo{Metric::kGossipSentBytes, "engram_gossip_sent_bytes_total", kCounter, "",
               "Bytes of those."},
    MetricInfo{Metric::kProbes, "engram_membership_probes_total", kCounter, "",
               "Times that this node asked another one whether it is there."},
    MetricInfo{Metric::kProbesFailed, "engram_membership_probes_failed_total", kCounter, "",
               "Those that nobody answered in any way."},
    MetricInfo{Metric::kReachedByRpcOnly, "engram_membership_rpc_only_total", kCounter, "",
               "Those that were answered only over RPC: datagrams do not get through."},
    MetricInfo{Metric::kRefutations, "engram_membership_refutations_total", kCounter, "",
               "Times that this node contradicted what was said of it."},
    MetricInfo{Metric::kIdConflicts, "engram_membership_id_conflicts_total", kCounter, "",
               "Signs that two nodes go by this node's id."},
    MetricInfo{Metric::kPauses, "engram_membership_pauses_total", kCounter, "",
               "Times that this node's control loop did not run for a while."},
    MetricInfo{Metric::kGossipRecordsHeard, "engram_gossip_records_heard_total", kCounter, "",
               "Assignments that other nodes told this one of."},
    MetricInfo{Metric::kGossipRecordsLearnt, "engram_gossip_records_learnt_total", kCounter, "",
               "Those that were newer than what it knew."},
    MetricInfo{Metric::kGossipRecordsRefused, "engram_gossip_records_refused_total", kCounter, "",
               "Those that no node can have sent in good faith."},
    MetricInfo{Metric::kGossipComparisons, "engram_gossip_comparisons_total", kCounter, "",
               "Times that this node compared its routing table with another one's."},
    MetricInfo{Metric::kGossipComparisonsFailed, "engram_gossip_comparisons_failed_total", kCounter,
               "", "Those that did not come to their end."},
    MetricInfo{Metric::kReplicationFrames, "engram_replication_frames_total", kCounter, "direction",
               "Frames of the replication streams, sent to other nodes or received from them."},
    MetricInfo{Metric::kReplicationBytes, "engram_replication_bytes_total", kCounter, "direction",
               "Bytes of those."},
    MetricInfo{Metric::kReplicationMessages, "engram_replication_messages_total", kCounter,
               "direction", "Messages of spaces' holders to each other that were in them."},
    MetricInfo{Metric::kReplicationDropped, "engram_replication_messages_dropped_total", kCounter,
               "",
               "Messages that were not sent: too many waited, or their stream was lost. They are "
               "repeated."},
    MetricInfo{Metric::kReplicationIgnored, "engram_replication_messages_ignored_total", kCounter,
               "",
               "Messages received that were for a former process of this node, or of a kind that "
               "it does not know."},
    MetricInfo{Metric::kReplicationRefused, "engram_replication_frames_refused_total", kCounter, "",
               "Frames received whose checksum was wrong, or that no node of this version sends."},
    MetricInfo{Metric::kReplicationStreamsOpened, "engram_replication_streams_opened_total",
               kCounter, "", "Streams to other nodes that were opened, or opened anew."},
    MetricInfo{Metric::kReplicationStreamsLost, "engram_replication_streams_lost_total", kCounter,
               "", "Those that ended, and attempts to open one that failed."},
    MetricInfo{Metric::kReplicationPortsRefused, "engram_replication_ports_refused_total", kCounter,
               "", "Those attempts that the node's port refused: no process listens there."},
    MetricInfo{Metric::kReplicationPiecesCompared, "engram_replication_pieces_compared_total",
               kCounter, "", "Pieces of this node's copies that were compared with the primary's."},
    MetricInfo{Metric::kReplicationPiecesMended, "engram_replication_pieces_mended_total", kCounter,
               "", "Those that differed though the logs were the same, and were replaced."},
    MetricInfo{Metric::kTombstones, "engram_tombstones", kGauge, "",
               "What this node keeps of memories that were forgotten, until all holders have it."},
    MetricInfo{Metric::kTombstonesCollected, "engram_tombstones_collected_total", kCounter, "",
               "Those that it has dropped since, as all holders do."},
    MetricInfo{Metric::kNodeInfo, "engram_node_info", kGauge, "node, cluster, version",
               "Always 1: who this is."},
    MetricInfo{Metric::kProcessResidentBytes, "process_resident_memory_bytes", kGauge, "",
               "Resident memory."},
    MetricInfo{Metric::kProcessStartTime, "process_start_time_seconds", kGauge, "",
               "When the node was started, in seconds since 1970."},
    MetricInfo{Metric::kProcessCpu, "process_cpu_seconds_total", kCounter, "",
               "Processor time, user and system."},
};

constexpr bool InOrder() {
  for (size_t i = 0; i < kInfos.size(); ++i) {
    if (static_cast<size_t>(kInfos[i].metric) != i) return false;
  }
  return true;
}
static_assert(InOrder(), "InfoOf indexes the table by metric");

constexpr uint64_t kNanosecondsInMicrosecond = 1'000;

}  // namespace

std::string_view NameOf(MetricType type) {
  switch (type) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    case kHistogram:
      break;
  }
  return "histogram";
}

std::span<const MetricInfo> MetricInfos() { return kInfos; }
const MetricInfo& InfoOf(Metric metric) { return kInfos[static_cast<size_t>(metric)]; }

size_t DurationHistogram::BucketOf(Duration took) {
  const auto nanoseconds = static_cast<uint64_t>(std::max<int64_t>(took.count(), 1));
  // Of the microseconds, rounded up and less one, the bits are the power of two that reaches them.
  const uint64_t below = (nanoseconds - 1) / kNanosecondsInMicrosecond;
  return std::min<size_t>(std::bit_width(below), kBuckets - 1);
}

double DurationHistogram::UpperBound(size_t bucket) {
  if (bucket + 1 >= kBuckets) return std::numeric_limits<double>::infinity();
  return static_cast<double>(uint64_t{1} << bucket) * 1e-6;
}

void DurationHistogram::AddTo(std::span<uint64_t> buckets, double& seconds) const {
  for (size_t i = 0; i < kBuckets; ++i) buckets[i] += buckets_[i].value();
  seconds += static_cast<double>(nanoseconds_.value()) * 1e-9;
}

uint64_t RoutingMetrics::Durations::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), uint64_t{0});
}

void RoutingMetrics::Record(size_t loop_index, const RoutedSample& sample) {
  const auto strategy = static_cast<size_t>(sample.strategy);
  ABSL_HARDENING_ASSERT(strategy < kStrategiesMax);
  Loop& loop = loops_[loop_index];
  loop.durations[strategy][static_cast<size_t>(sample.outcome)].Observe(sample.took);
  const bool here = sample.strategy == routing::Strategy::kLocal ||
                    sample.strategy == routing::Strategy::kLocalOnly;
  if (here) return;  // it went nowhere
  for (size_t i = 0; i < kRoutedCounts.size(); ++i) {
    loop.counts[i].Add(static_cast<uint64_t>(sample.*kRoutedCounts[i].field));
  }
  loop.stale.Add(sample.stale ? 1 : 0);
  for (ErrorCode reason : sample.retries) loop.retries[static_cast<size_t>(reason)].Add();
}

RoutingMetrics::Durations RoutingMetrics::DurationsOf(size_t strategy, ErrorCode outcome) const {
  Durations sum;
  for (const Loop& loop : loops_) {
    loop.durations[strategy][static_cast<size_t>(outcome)].AddTo(sum.buckets, sum.seconds);
  }
  return sum;
}

uint64_t RoutingMetrics::CountOf(size_t routed_count) const {
  uint64_t sum = 0;
  for (const Loop& loop : loops_) sum += loop.counts[routed_count].value();
  return sum;
}

uint64_t RoutingMetrics::stale() const {
  uint64_t sum = 0;
  for (const Loop& loop : loops_) sum += loop.stale.value();
  return sum;
}

uint64_t RoutingMetrics::RetriesFor(ErrorCode reason) const {
  uint64_t sum = 0;
  for (const Loop& loop : loops_) sum += loop.retries[static_cast<size_t>(reason)].value();
  return sum;
}

uint64_t RoutingMetrics::PeerRequests(ErrorCode outcome) const {
  uint64_t sum = 0;
  for (const Loop& loop : loops_) sum += loop.peer[static_cast<size_t>(outcome)].value();
  return sum;
}

}  // namespace engram::server
