// What chaos does to a cluster, as plain values, and the plan of it: which faults, when, on whom.
// All of it comes from a seed; the same seed gives the same plan.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "engram/base/time.h"
#include "support/switch_traffic.h"

namespace engram::testing {

enum class FaultKind : uint8_t {
  kKill,      // kill -9, started again at the end
  kPause,     // SIGSTOP, SIGCONT at the end
  kSplit,     // the victims and the others do not reach each other
  kOneWay,    // what the victim sends to the others is lost; their packets reach it
  kSlowLink,  // the victim's link carries little, behind a long queue
  kBadDisk,   // each fsync of the victim fails; killed and started again at the end
  kFullDisk,  // nothing more fits onto the victim's disk; killed and started again at the end
  kLostDisk,  // kill -9, started again at the end with an empty disk; a second one is a kill
};
inline constexpr std::array<FaultKind, 8> kFaultKinds = {
    FaultKind::kKill,     FaultKind::kPause,   FaultKind::kSplit,    FaultKind::kOneWay,
    FaultKind::kSlowLink, FaultKind::kBadDisk, FaultKind::kFullDisk, FaultKind::kLostDisk};

std::string_view NameOf(FaultKind kind);
// Of the network, not of a node. There is one at a time.
bool IsOfNetwork(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kKill;
  Hosts victims;
  Duration hold{};
};

// Faults that are there at the same time, begun one after the other, and the time of peace after
// them.
struct Trouble {
  std::vector<Fault> faults;
  Duration peace{};
};

struct PlanOptions {
  int nodes = 5;
  Duration length{};
  std::vector<FaultKind> kinds{kFaultKinds.begin(), kFaultKinds.end()};
};

// Fills `length`; what is begun within it is ended after it. REQUIRES: nodes >= 2, kinds not empty.
std::vector<Trouble> MakePlan(const PlanOptions& options, std::mt19937_64& random);

}  // namespace engram::testing
