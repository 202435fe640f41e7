// Whether this node is cut off from the majority (SPEC R12): what turns the number of members that
// are reached into a state that does not flicker.
//
//               no strict majority for as long as the window            a majority again
//   CONNECTED ──────────────────────────────────────────▶ PARTITIONED ─────────────────▶ HEALING
//       ▲                                                      ▲                            │
//       │                                                      └──── no majority ───────────┤
//       └────────────────── a majority for as long as healing takes ────────────────────────┘
//   STARTING ──── a majority ────▶ CONNECTED: who has just begun has missed nothing, but knows
//   nothing
//
// In all states but CONNECTED the node routes to itself only. A majority is more than half of all
// members, this node included: of two nodes, one alone has none.
//
// Pure; not thread-safe: the control loop has one.
#pragma once

#include "engram/base/time.h"
#include "engram/membership/swim.h"

namespace engram::membership {

struct PartitionOptions {
  // A moment without a majority, such as one suspicion, is no partition.
  Duration window = std::chrono::seconds(3);
  Duration healing = std::chrono::seconds(10);
};

enum class PartitionState : uint8_t { kConnected, kPartitioned, kHealing, kStarting };
inline constexpr int kPartitionStateCount = 4;

class PartitionDetector {
 public:
  explicit PartitionDetector(const PartitionOptions& options = {},
                             PartitionState first = PartitionState::kConnected)
      : options_(options), state_(first) {}

  // To be called when `reach` changes, and at NextWake(). True: the state has changed.
  bool Update(const Reach& reach, TimePoint now);
  // When the state changes if nothing else does; kNever if it does not.
  TimePoint NextWake() const;

  PartitionState state() const { return state_; }
  bool LocalOnly() const { return state_ != PartitionState::kConnected; }
  const Reach& reach() const { return reach_; }

 private:
  PartitionState Next(bool majority, TimePoint now) const;

  PartitionOptions options_;
  PartitionState state_;
  Reach reach_;
  bool majority_ = true;
  TimePoint since_{};  // there has been a majority, or none
};

}  // namespace engram::membership
