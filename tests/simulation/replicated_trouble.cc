#include "simulation/replicated_trouble.h"

#include <utility>

#include "engram/base/error.h"

namespace engram::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ReplicatedOptions OptionsOf(uint64_t seed, DiskFactory make_disk) {
  std::mt19937_64 random(seed);
  ReplicatedOptions options;
  options.seed = seed;
  options.make_disk = make_disk;
  options.nodes = 3 + (seed % 4 == 0 ? 2 : 0) + (seed % 8 == 1 ? 1 : 0);
  options.links.delay_max = milliseconds(1 + random() % 100);
  if (seed % 3 == 0) {
    options.links.loss = 0.001 * static_cast<double>(random() % 100);
    options.links.duplication = 0.001 * static_cast<double>(random() % 100);
  }
  options.disk_max = milliseconds(1 + random() % 30);
  return options;
}

void Split(ReplicatedCluster& cluster) {
  const size_t side = 1 + cluster.Below((size_t{1} << cluster.size()) - 2);
  for (size_t i = 0; i < cluster.size(); ++i) {
    for (size_t j = 0; j < cluster.size(); ++j) {
      if (((side >> i) & 1) != ((side >> j) & 1)) cluster.network().Cut(i, j);
    }
  }
}

void CutOff(ReplicatedCluster& cluster, size_t node) {
  for (size_t i = 0; i < cluster.size(); ++i) {
    cluster.network().Cut(i, node);
    cluster.network().Cut(node, i);
  }
}

void FailDisk(ReplicatedCluster& cluster, size_t i) {
  cluster.node(i).FailWrites(MakeError(ErrorCode::kStorageFailed, "no space left on the disk"));
}

void Repair(ReplicatedCluster& cluster, size_t i) {
  if (!cluster.has_disk(i)) return;
  ReplicatedNode& node = cluster.node(i);
  if (node.is_up() && node.machine().failed())
    cluster.Below(2) == 0 ? node.Crash() : node.LosePower();
  if (node.is_up()) return;
  node.AllowWrites();
  node.Start();
}

// Where the primary is, harm does most.
size_t Victim(ReplicatedCluster& cluster) {
  const auto primary = cluster.Primary();
  return primary && cluster.Below(3) == 0 ? *primary : cluster.Below(cluster.size());
}

void HarmNode(ReplicatedCluster& cluster, size_t i) {
  ReplicatedNode& node = cluster.node(i);
  if (!node.is_up()) return;
  switch (cluster.Below(8)) {
    case 0:
      return node.Crash();
    case 1:
      return node.LosePower();
    case 2:
    case 3:
      return node.CrashAfter(cluster.Below(8));
    case 4:
      return node.CrashInNextCommit(cluster.Below(2) == 0 ? ReplicatedNode::CommitCrash::kBefore
                                                          : ReplicatedNode::CommitCrash::kAfter);
    case 5:
      return node.Stop(cluster.scheduler().now() + milliseconds(cluster.Below(6'000)));
    case 6:
      return FailDisk(cluster, i);
    default:
      return node.HandOverTo(cluster.node(cluster.Below(cluster.size())).id());
  }
}

void HarmNetwork(ReplicatedCluster& cluster, size_t i) {
  switch (cluster.Below(6)) {
    case 0:
      return cluster.network().Cut(i, cluster.Below(cluster.size()));
    case 1:
      return CutOff(cluster, i);
    case 2:
      return Split(cluster);
    default:
      return cluster.network().Heal();
  }
}

void Disturb(ReplicatedCluster& cluster) {
  const size_t i = Victim(cluster);
  const size_t any = cluster.Below(10);
  if (any < 3) return HarmNode(cluster, i);
  if (any < 6) return HarmNetwork(cluster, i);
  for (size_t j = 0; j < cluster.size(); ++j) {
    if (cluster.Below(2) == 0) Repair(cluster, j);
  }
}

// As many as a majority does without, in one seed of five.
void MayLoseDisk(ReplicatedCluster& cluster, uint64_t seed) {
  if (seed % 5 != 0 || cluster.Below(6) != 0) return;
  if (cluster.lost_disks() >= (cluster.size() - 1) / 2) return;
  cluster.LoseDisk(Victim(cluster));
}

void Work(ReplicatedCluster& cluster, Duration time) {
  const TimePoint end = cluster.scheduler().now() + time;
  while (cluster.scheduler().now() < end) {
    cluster.clients().DoSomething();
    cluster.RunFor(milliseconds(1 + cluster.Below(400)));
  }
}

ReplicatedRun Report(ReplicatedCluster& cluster) {
  ReplicatedRun run{cluster.violations(), cluster.trace(), cluster.offices(), 0, 0, {}};
  for (const testing::Operation& operation : cluster.clients().history().operations) {
    ++run.operations;
    run.acknowledged += operation.outcome == testing::Outcome::kOk &&
                        operation.kind != testing::OperationKind::kGet;
  }
  run.history = std::move(cluster.clients().history());
  return run;
}

}  // namespace

ReplicatedRun RunReplicated(uint64_t seed, DiskFactory make_disk) {
  ReplicatedCluster cluster(OptionsOf(seed, make_disk));
  if (!cluster.Create()) return Report(cluster);
  cluster.clients().Prepare();
  Work(cluster, seconds(2));
  for (int round = 0; round < 25; ++round) {
    Disturb(cluster);
    MayLoseDisk(cluster, seed);
    Work(cluster, milliseconds(cluster.Below(5'000)));
  }
  cluster.Settle();
  return Report(cluster);
}

}  // namespace engram::simulation
