#include "engram/membership/probe_order.h"

#include <algorithm>
#include <utility>

namespace engram::membership {

void ProbeOrder::Add(const NodeId& id, std::mt19937_64& random) {
  if (!known_.insert(id).second) return;
  order_.push_back(id);
  const size_t place = std::uniform_int_distribution<size_t>(0, order_.size() - 1)(random);
  std::swap(order_[place], order_.back());
}

const Member* ProbeOrder::Next(const MemberTable& members, std::mt19937_64& random) {
  // What is left of this round, and a whole one.
  for (size_t looks = 2 * order_.size(); looks > 0; --looks) {
    if (next_ >= order_.size()) BeginRound(members, random);
    if (order_.empty()) return nullptr;
    const Member* member = members.Find(order_[next_++]);
    if (member != nullptr && member->IsLive()) return member;
  }
  return nullptr;
}

void ProbeOrder::BeginRound(const MemberTable& members, std::mt19937_64& random) {
  next_ = 0;
  const auto forgotten = [&](const NodeId& id) { return members.Find(id) == nullptr; };
  std::erase_if(order_, forgotten);
  std::erase_if(known_, forgotten);
  std::shuffle(order_.begin(), order_.end(), random);
}

}  // namespace engram::membership
