// What goes wrong in a simulated cluster, and when: crashes of processes and of power, at any step,
// pauses, cuts in one direction, splits, disks that fail or are full, handovers. Clients work all
// the while.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simulation/replicated_cluster.h"

namespace engram::simulation {

struct ReplicatedRun {
  std::vector<std::string> violations;
  uint64_t trace = 0;
  uint64_t offices = 0;     // epochs that had a primary
  size_t operations = 0;    // tries that are recorded
  size_t acknowledged = 0;  // writes among them
  testing::History history;
};

// One run, decided by the seed: of how many nodes, with how much trouble.
ReplicatedRun RunReplicated(uint64_t seed, DiskFactory make_disk);

}  // namespace engram::simulation
