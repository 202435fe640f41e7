// Counts the promises that a collector has heard for one counter, and says who is to be primary:
// the most caught-up of a majority (SPEC C7; docs/model, decisions 1 and 4).
//
// Only a complete copy is appointed (decision 3). A holder that is behind, and takes one over,
// counts for the majority if who is appointed has everything that this holder may have confirmed
// before. One that is forgetful may have confirmed anything, and counts only where all holders have
// promised: what any majority has confirmed is then still known to one of them, as long as not all
// of that majority have lost their disks.
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
#include "engram/replication/copy_state.h"

namespace engram::replication {

class PromiseCount {
 public:
  // `holders` of the space, in the ring's order, which decides between equal positions.
  explicit PromiseCount(std::vector<NodeId> holders) : holders_(std::move(holders)) {}

  // `position`: as in Promise; the default if the log is empty. False if it counts for nothing: no
  // holder, or heard before.
  bool Add(const NodeId& promiser, const Version& position, CopyState copy = CopyState::kComplete);

  bool HasMajority() const;

  // Whom to appoint; `preferred` if nobody has more. Nothing without a majority.
  std::optional<NodeId> MostCaughtUp(const NodeId& preferred = NodeId()) const;

 private:
  struct Promise {
    size_t rank;  // of the promiser, in the ring's order
    Version position;
  };

  std::vector<NodeId> holders_;
  std::set<NodeId> heard_;
  std::vector<Promise> promises_;  // of complete copies: one of them is appointed
  std::vector<Version> behind_;    // positions of those that are behind
};

}  // namespace engram::replication
