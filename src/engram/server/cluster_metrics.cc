#include "engram/server/cluster_metrics.h"

#include <array>
#include <string>

namespace engram::server {
namespace {

using membership::MemberState;
using membership::PartitionState;

void AddMembers(Families& out, const cluster::ClusterView& view) {
  std::array<double, membership::kMemberStateCount> counts{};
  for (const membership::Member& member : view.members) {
    ++counts[static_cast<size_t>(member.standing.state)];
  }
  prometheus::MetricFamily& members = AddFamily(out, Metric::kMembers);
  for (size_t i = 0; i < counts.size(); ++i) {
    AddValue(members, counts[i],
             {{"state", std::string(cluster::NameOf(static_cast<MemberState>(i)))}});
  }
}

void AddConnectivity(Families& out, const cluster::ClusterView& view) {
  prometheus::MetricFamily& connectivity = AddFamily(out, Metric::kConnectivity);
  for (int i = 0; i < membership::kPartitionStateCount; ++i) {
    const auto state = static_cast<PartitionState>(i);
    AddValue(connectivity, view.state == state ? 1 : 0,
             {{"state", std::string(cluster::NameOf(state))}});
  }
  AddOne(out, Metric::kMembersReachable, static_cast<double>(view.reach.reachable));
  AddOne(out, Metric::kMembersTotal, static_cast<double>(view.reach.total));
  AddOne(out, Metric::kAwareness, static_cast<double>(view.awareness));
}

void AddDatagrams(Families& out, const membership::SwimCounters& swim) {
  // In the order of membership::Verdict.
  constexpr std::array kVerdicts = {"read", "garbled", "other_version", "foreign_cluster"};
  static_assert(kVerdicts.size() == membership::kVerdictCount);
  prometheus::MetricFamily& received = AddFamily(out, Metric::kGossipReceived);
  for (size_t i = 0; i < kVerdicts.size(); ++i) {
    AddValue(received, static_cast<double>(swim.datagrams[i]), {{"verdict", kVerdicts[i]}});
  }
  AddOne(out, Metric::kGossipSent, swim.sent);
  AddOne(out, Metric::kGossipSentBytes, swim.sent_bytes);
  AddOne(out, Metric::kProbes, swim.probes);
  AddOne(out, Metric::kProbesFailed, swim.probes_failed);
  AddOne(out, Metric::kReachedByRpcOnly, swim.reached_by_rpc_only);
  AddOne(out, Metric::kRefutations, swim.refutations);
  AddOne(out, Metric::kIdConflicts, swim.conflicts);
  AddOne(out, Metric::kPauses, swim.pauses);
}

void AddAssignments(Families& out, const cluster::ControlCounters& counters) {
  AddOne(out, Metric::kGossipRecordsHeard, counters.records.heard);
  AddOne(out, Metric::kGossipRecordsLearnt, counters.records.learnt);
  AddOne(out, Metric::kGossipRecordsRefused, counters.records_refused);
  AddOne(out, Metric::kGossipComparisons, counters.comparisons);
  AddOne(out, Metric::kGossipComparisonsFailed, counters.comparisons_failed);
}

}  // namespace

void AddCluster(Families& out, const cluster::Directory& directory) {
  const auto view = directory.view();
  const cluster::ControlCounters counters = directory.counters();
  AddMembers(out, *view);
  AddConnectivity(out, *view);
  AddDatagrams(out, counters.swim);
  AddAssignments(out, counters);
}

}  // namespace engram::server
