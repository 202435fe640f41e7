// The one probe of a period (SWIM, Das et al., 2002, §3.1): first directly, and when no ack came in
// time, through others and over RPC.
//
// Owned by Swim. Value type.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engram/membership/member.h"

namespace engram::membership {

class Probe {
 public:
  Probe(uint32_t sequence, const Member& target, TimePoint ack_by)
      : sequence_(sequence),
        target_(target.id),
        incarnation_(target.standing.incarnation),
        ack_by_(ack_by),
        unheard_{target.id} {}

  uint32_t sequence() const { return sequence_; }
  const NodeId& target() const { return target_; }
  // Of the target, when the probe began: a newer one is a sign of life since.
  Incarnation incarnation() const { return incarnation_; }
  bool answered() const { return answered_; }
  // The target and helpers of whom nothing at all was heard since they were asked.
  const std::vector<NodeId>& unheard() const { return unheard_; }
  // When others have to be asked; kNever if they have been, or need not be.
  TimePoint indirect_at() const { return answered_ || indirect_ ? kNever : ack_by_; }

  void Ask(std::vector<NodeId> helpers) {
    indirect_ = true;
    asked_ = helpers.size();
    unheard_.insert(unheard_.end(), helpers.begin(), helpers.end());
    silent_ = std::move(helpers);
  }
  // Only of those that were asked.
  void OnAck(uint32_t sequence, const NodeId& sender) {
    if (sequence == sequence_ && (sender == target_ || Spoke(sender))) answered_ = true;
  }
  void OnNack(uint32_t sequence, const NodeId& sender) {
    if (sequence == sequence_) Spoke(sender);
  }
  // Anything else.
  void OnHeard(const NodeId& sender) { std::erase(unheard_, sender); }
  void OnReached() { answered_ = true; }
  void Postpone(Duration by) { ack_by_ += by; }

  // What the outcome says about this node itself (Lifeguard, §IV-A): a helper that sends not even a
  // nack is a sign that it is us whom nothing reaches. Without helpers each failure is.
  int AwarenessDelta() const {
    if (answered_) return -1;
    return asked_ == 0 ? 1 : static_cast<int>(silent_.size());
  }

 private:
  bool Spoke(const NodeId& helper) { return std::erase(silent_, helper) > 0; }

  uint32_t sequence_;
  NodeId target_;
  Incarnation incarnation_;
  TimePoint ack_by_;
  bool answered_ = false;
  bool indirect_ = false;
  size_t asked_ = 0;
  std::vector<NodeId> silent_;  // helpers that have answered neither with an ack nor with a nack
  std::vector<NodeId> unheard_;
};

}  // namespace engram::membership
