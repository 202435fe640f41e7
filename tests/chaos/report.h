// One page about a run of chaos, for people, and the figures in it. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "chaos/faults.h"
#include "support/checker.h"
#include "support/history.h"

namespace engram::testing {

// A fault as it happened. `victims`: ids of nodes.
struct Injected {
  FaultKind kind = FaultKind::kKill;
  std::vector<NodeId> victims;
  TimePoint begin;
  TimePoint end;
};

struct RunRecord {
  std::string command;  // that repeats it
  std::vector<Injected> faults;
  std::vector<std::string> mishaps;  // what went wrong beside the promises
  TimePoint begin;
  TimePoint healed;                     // when the last fault was ended, and the load
  std::optional<Duration> equal_after;  // since `healed`; none: never
};

// For how long a space took no write without the flag, for each fault and space: the longest time
// between two successive ones that touches the fault, ascending, by kind.
struct Gaps {
  std::map<FaultKind, std::vector<Duration>> of_victims;  // the space's primary was a victim
  std::map<FaultKind, std::vector<Duration>> of_others;
};
Gaps GapsOf(const History& history, const std::vector<Injected>& faults);

// How often the epoch of a space was raised, all spaces together, as far as writes show it.
uint64_t EpochsRaised(const History& history);

// At `share` of the sorted durations, by nearest rank. REQUIRES: not empty, 0 < share <= 1.
Duration Percentile(const std::vector<Duration>& sorted, double share);

// Every promise kept, all copies equal in time (30 s after the heal), and nothing else went wrong.
bool HasPassed(const RunRecord& run, const Verdict& verdict);

std::string ReportOf(const RunRecord& run, const History& history, const Verdict& verdict);

}  // namespace engram::testing
