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
  Probe(uint32_t sequence, NodeId target, TimePoint ack_by)
      : sequence_(sequence), target_(std::move(target)), ack_by_(ack_by) {}

  uint32_t sequence() const { return sequence_; }
  const NodeId& target() const { return target_; }
  bool answered() const { return answered_; }
  // When others have to be asked; kNever if they have been, or need not be.
  TimePoint indirect_at() const { return answered_ || indirect_ ? kNever : ack_by_; }

  void Ask(std::vector<NodeId> helpers) {
    indirect_ = true;
    asked_ = helpers.size();
    silent_ = std::move(helpers);
  }
  // Only of those that were asked.
  void OnAck(uint32_t sequence, const NodeId& sender) {
    if (sequence == sequence_ && (sender == target_ || Heard(sender))) answered_ = true;
  }
  void OnNack(uint32_t sequence, const NodeId& sender) {
    if (sequence == sequence_) Heard(sender);
  }
  void OnReached() { answered_ = true; }
  void Postpone(Duration by) { ack_by_ += by; }

  // What the outcome says about this node itself (Lifeguard, §IV-A): a helper that sends not even a
  // nack is a sign that it is us whom nothing reaches. Without helpers each failure is.
  int AwarenessDelta() const {
    if (answered_) return -1;
    return asked_ == 0 ? 1 : static_cast<int>(silent_.size());
  }

 private:
  bool Heard(const NodeId& helper) { return std::erase(silent_, helper) > 0; }

  uint32_t sequence_;
  NodeId target_;
  TimePoint ack_by_;
  bool answered_ = false;
  bool indirect_ = false;
  size_t asked_ = 0;
  std::vector<NodeId> silent_;  // helpers that have not said anything yet
};

}  // namespace engram::membership
