#include "chaos/faults.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace engram::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Both bounds included. SIGSTOP of 2 s is not to move anything, one of 15 s is longer than a client
// waits; the others are long enough for a failover, and some of them for no more than that.
struct Range {
  milliseconds min;
  milliseconds max;
};

Range HoldOf(FaultKind kind) {
  switch (kind) {
    case FaultKind::kKill:
    case FaultKind::kLostDisk:
      return {milliseconds(500), seconds(10)};
    case FaultKind::kPause:
      return {seconds(2), seconds(15)};
    case FaultKind::kSplit:
    case FaultKind::kOneWay:
    case FaultKind::kSlowLink:
      return {seconds(3), seconds(15)};
    case FaultKind::kBadDisk:
    case FaultKind::kFullDisk:
      break;
  }
  return {seconds(2), seconds(8)};
}

constexpr Range kPeace = {seconds(2), seconds(8)};
constexpr size_t kDoublePercent = 20;

class Planner {
 public:
  Planner(const PlanOptions& options, std::mt19937_64& random)
      : options_(options), random_(random) {}

  std::vector<Trouble> Run() {
    std::vector<Trouble> plan;
    for (Duration planned{}; planned < options_.length;) {
      plan.push_back(NextTrouble());
      for (const Fault& fault : plan.back().faults) planned += fault.hold;
      planned += plan.back().peace;
    }
    return plan;
  }

 private:
  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }
  Duration In(const Range& range) {
    return range.min +
           milliseconds(Below(static_cast<size_t>((range.max - range.min).count()) + 1));
  }

  Trouble NextTrouble() {
    Trouble trouble{{NextFault()}, In(kPeace)};
    if (Below(100) >= kDoublePercent) return trouble;
    const Fault& first = trouble.faults.front();
    Fault second = NextFault();
    const bool both_of_network = IsOfNetwork(first.kind) && IsOfNetwork(second.kind);
    const bool same_node =
        !IsOfNetwork(first.kind) && !IsOfNetwork(second.kind) && first.victims == second.victims;
    if (!both_of_network && !same_node) trouble.faults.push_back(std::move(second));
    return trouble;
  }

  Fault NextFault() {
    Fault fault;
    fault.kind = options_.kinds[Below(options_.kinds.size())];
    // With a second one, what a quorum has acknowledged might be gone.
    if (fault.kind == FaultKind::kLostDisk && std::exchange(lost_a_disk_, true)) {
      fault.kind = FaultKind::kKill;
    }
    fault.hold = In(HoldOf(fault.kind));
    fault.victims = Some(fault.kind == FaultKind::kSplit ? 1 + Below(SplitMax()) : 1);
    return fault;
  }

  size_t SplitMax() const { return std::max<size_t>(1, (options_.nodes - 1) / 2); }

  Hosts Some(size_t count) {
    Hosts all(static_cast<size_t>(options_.nodes));
    std::iota(all.begin(), all.end(), 0);
    for (size_t i = 0; i < count; ++i) std::swap(all[i], all[i + Below(all.size() - i)]);
    all.resize(count);
    return all;
  }

  const PlanOptions& options_;
  std::mt19937_64& random_;
  bool lost_a_disk_ = false;
};

}  // namespace

std::string_view NameOf(FaultKind kind) {
  switch (kind) {
    case FaultKind::kKill:
      return "kill";
    case FaultKind::kPause:
      return "pause";
    case FaultKind::kSplit:
      return "split";
    case FaultKind::kOneWay:
      return "one-way";
    case FaultKind::kSlowLink:
      return "slow-link";
    case FaultKind::kBadDisk:
      return "bad-disk";
    case FaultKind::kFullDisk:
      return "full-disk";
    case FaultKind::kLostDisk:
      return "lost-disk";
  }
  return "unknown";
}

bool IsOfNetwork(FaultKind kind) {
  return kind == FaultKind::kSplit || kind == FaultKind::kOneWay || kind == FaultKind::kSlowLink;
}

std::vector<Trouble> MakePlan(const PlanOptions& options, std::mt19937_64& random) {
  return Planner(options, random).Run();
}

}  // namespace engram::testing
