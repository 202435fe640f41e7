#include "engram/membership/partition_detector.h"

namespace engram::membership {

bool PartitionDetector::Update(const Reach& reach, TimePoint now) {
  reach_ = reach;
  const bool majority = 2 * reach.reachable > reach.total;
  if (majority != majority_) {
    majority_ = majority;
    since_ = now;
  }
  const PartitionState next = Next(majority, now);
  if (next == state_) return false;
  state_ = next;
  return true;
}

PartitionState PartitionDetector::Next(bool majority, TimePoint now) const {
  const Duration lasted = now - since_;
  if (state_ == PartitionState::kConnected) {
    return majority || lasted < options_.window ? state_ : PartitionState::kPartitioned;
  }
  if (state_ == PartitionState::kStarting) return majority ? PartitionState::kConnected : state_;
  if (!majority) return PartitionState::kPartitioned;
  return lasted < options_.healing ? PartitionState::kHealing : PartitionState::kConnected;
}

TimePoint PartitionDetector::NextWake() const {
  if (state_ == PartitionState::kConnected && !majority_) return since_ + options_.window;
  if (state_ == PartitionState::kHealing) return since_ + options_.healing;
  return kNever;
}

}  // namespace engram::membership
