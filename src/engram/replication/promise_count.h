// Counts the promises that a collector has heard for one counter, and says who is to be primary:
// the most caught-up of a majority (SPEC C7; docs/model, decisions 1 and 4).
//
// A holder whose copy is incomplete may have forgotten what it confirmed, with its disk. It counts
// only where all holders have promised: what any majority has confirmed is then still known to one
// of them, as long as not all of that majority have lost their disks (decision 3).
//
// Owned by the collector; not durable: after a restart it collects for a new counter. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "engram/base/strong_id.h"
#include "engram/base/version.h"

namespace engram::replication {

class PromiseCount {
 public:
  // `holders` of the space, in the ring's order, which decides between equal positions.
  explicit PromiseCount(std::vector<NodeId> holders) : holders_(std::move(holders)) {}

  enum class Has : uint8_t { kCompleteCopy, kIncompleteCopy };

  // `position`: of the promiser's last entry; the default if its log is empty. False if it counts
  // for nothing: no holder, or heard before.
  bool Add(const NodeId& promiser, const Version& position, Has has = Has::kCompleteCopy);

  bool HasMajority() const {
    const bool all = promises_.size() + incomplete_.size() == holders_.size();
    return promises_.size() > holders_.size() / 2 || (all && !promises_.empty());
  }

  // Whom to appoint; `preferred` if nobody has more. Nothing without a majority.
  std::optional<NodeId> MostCaughtUp(const NodeId& preferred = NodeId()) const;

 private:
  struct Promise {
    size_t rank;  // of the promiser, in the ring's order
    Version position;
  };

  std::vector<NodeId> holders_;
  std::vector<Promise> promises_;  // of complete copies: one of them is appointed
  std::set<NodeId> incomplete_;
};

}  // namespace engram::replication
