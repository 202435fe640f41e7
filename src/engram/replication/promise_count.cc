#include "engram/replication/promise_count.h"

#include <algorithm>

#include "engram/base/planted.h"

namespace engram::replication {

bool PromiseCount::Add(const NodeId& promiser, const Version& position, CopyState copy) {
  const auto place = std::find(holders_.begin(), holders_.end(), promiser);
  if (place == holders_.end() || !heard_.insert(promiser).second) return false;
  if (copy == CopyState::kBehind) behind_.push_back(position);
  if (copy == CopyState::kComplete) {
    promises_.push_back({static_cast<size_t>(place - holders_.begin()), position});
  }
  return true;
}

// Of all that a majority needs, the most caught-up of `promises_` has the most.
bool PromiseCount::HasMajority() const {
  if (promises_.empty()) return false;
  if (heard_.size() == holders_.size()) return true;
  const Version most = std::max_element(promises_.begin(), promises_.end(), [](auto& a, auto& b) {
                         return a.position < b.position;
                       })->position;
  const auto vouched = std::count_if(behind_.begin(), behind_.end(),
                                     [&](const Version& had) { return had <= most; });
  return promises_.size() + static_cast<size_t>(vouched) > holders_.size() / 2;
}

std::optional<NodeId> PromiseCount::MostCaughtUp(const NodeId& preferred) const {
  if (!HasMajority()) return std::nullopt;
  const auto best =
      std::max_element(promises_.begin(), promises_.end(), [&](const Promise& a, const Promise& b) {
        if (IsPlanted(Bug::kPromoteLeastCaughtUp)) return b.position < a.position;
        if (IsPlanted(Bug::kPositionIgnoresEpoch)) return a.position.sequence < b.position.sequence;
        if (a.position != b.position) return a.position < b.position;
        if (holders_[a.rank] == preferred || holders_[b.rank] == preferred) {
          return holders_[b.rank] == preferred;
        }
        return a.rank > b.rank;
      });
  return holders_[best->rank];
}

}  // namespace engram::replication
