// Random faults: whatever happens, the promises of docs/model hold, at every step and in the end.
#include <gtest/gtest.h>

#include <cstdlib>

#include "engram/replication/testing/replica_cluster.h"

namespace engram::replication {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void Disturb(ReplicaCluster& cluster, bool& lost_disk) {
  const size_t i = cluster.Below(cluster.size());
  const size_t j = cluster.Below(cluster.size());
  switch (cluster.Below(12)) {
    case 0:
      if (cluster.IsUp(i)) cluster.Crash(i);
      return;
    case 1:
      if (cluster.IsUp(i)) cluster.CrashAfter(i, cluster.Below(10));
      return;
    case 2:
      return cluster.Stop(i);
    case 3:
      return cluster.CutOff(i);
    case 4:
      return cluster.Cut(i, j);
    case 5:
    case 6:
      return cluster.Heal();
    case 7:
      if (cluster.IsUp(i) && i != j) cluster.HandOver(i, j);
      return;
    case 8:
      // One disk, and never half of them.
      if (cluster.size() < 3 || lost_disk) return;
      cluster.LoseDisk(i);
      lost_disk = true;
      return;
    default:
      cluster.Continue(i);
      if (!cluster.IsUp(j)) cluster.Restart(j);
  }
}

void RunSeed(uint64_t seed) {
  ReplicaCluster cluster(seed % 4 == 0 ? 5 : (seed % 4 == 1 ? 2 : 3), seed);
  cluster.trouble = {milliseconds(10 + cluster.Below(200)), milliseconds(1 + cluster.Below(100)),
                     0.1 * cluster.Share(), 0.1 * cluster.Share(), seed % 3 == 0};
  if (seed % 2 == 0) cluster.kept = cluster.Below(30);
  cluster.options.tombstones = {seconds(1), milliseconds(100), {3, 1u << 20}};
  cluster.options.compare.piece = {5, 1u << 20};
  bool lost_disk = false;
  for (size_t i = 0; i < cluster.size(); ++i) cluster.Restart(i);
  cluster.Create(0);
  if (seed % 7 == 0) cluster.Create(1);
  for (int round = 0; round < 40; ++round) {
    Disturb(cluster, lost_disk);
    for (size_t writes = cluster.Below(10); writes > 0; --writes) {
      const size_t i = cluster.Below(cluster.size());
      const bool branch = cluster.Below(4) == 0;
      cluster.Below(4) == 0 ? cluster.Forget(i, branch) : cluster.Write(i, branch);
    }
    cluster.RunFor(milliseconds(cluster.Below(3'000)));
  }
  cluster.Settle();
}

TEST(ReplicaRandom, NothingAcknowledgedIsLostAndAllLogsBecomeOne) {
  const uint64_t first = FromEnvironment("ENGRAM_REPLICA_SEED", 1);
  const uint64_t seeds = FromEnvironment("ENGRAM_REPLICA_SEEDS", 200);
  for (uint64_t seed = first; seed < first + seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("ENGRAM_REPLICA_SEED=" + std::to_string(seed) +
                 " ENGRAM_REPLICA_SEEDS=1 build/bin/replication_test "
                 "--gtest_filter='ReplicaRandom.*'");
    RunSeed(seed);
  }
}

}  // namespace
}  // namespace engram::replication
