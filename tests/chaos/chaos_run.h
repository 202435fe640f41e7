// One run of chaos from beginning to end: a cluster, a load, a plan of faults, and then, when all
// is healed and quiet, the judgement.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "chaos/faults.h"

namespace engram::testing {

struct ChaosOptions {
  uint64_t seed = 1;
  Duration length{};
  int nodes = 5;
  int copies = 3;  // of each space
  size_t clients = 10;
  std::vector<FaultKind> kinds{kFaultKinds.begin(), kFaultKinds.end()};
  std::filesystem::path out;  // history.txt, report.md and the nodes' logs go there
  std::string command;        // that repeats the run
};

// By the name that a person gives them.
std::map<std::string, FaultKind> FaultsByName();

// Prints the report. An exit code: 0 when every promise was kept and all copies became equal in
// time, 1 otherwise. To be called before there are other threads; takes root.
int RunChaos(const ChaosOptions& options);

}  // namespace engram::testing
