// How far this node trusts itself (Lifeguard, Dadgar et al., 2018, §IV-A): answers that did not
// come may be its own fault. The higher the score, the longer it waits before it blames others.
//
// Owned by Swim. Value type.
#pragma once

#include <algorithm>

#include "engram/base/time.h"

namespace engram::membership {

class Awareness {
 public:
  // `max` 0: always well, as in plain SWIM.
  explicit Awareness(int max) : max_(max) {}

  // 0: well. Positive deltas are signs of being slow.
  void Add(int delta) { score_ = std::clamp(score_ + delta, 0, max_); }
  int score() const { return score_; }

  // A period or time-out as long as it has to be now: up to (max + 1) times.
  Duration Scale(Duration base) const { return base * (score_ + 1); }

 private:
  int max_;
  int score_ = 0;
};

}  // namespace engram::membership
