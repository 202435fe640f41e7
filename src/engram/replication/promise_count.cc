#include "engram/replication/promise_count.h"

#include <algorithm>

#include "engram/base/planted.h"

namespace engram::replication {

bool PromiseCount::Add(const NodeId& promiser, const Version& position, Has has) {
  const auto place = std::find(holders_.begin(), holders_.end(), promiser);
  if (place == holders_.end()) return false;
  if (has == Has::kIncompleteCopy) return incomplete_.insert(promiser).second;
  const auto rank = static_cast<size_t>(place - holders_.begin());
  const bool heard = std::any_of(promises_.begin(), promises_.end(),
                                 [rank](const Promise& promise) { return promise.rank == rank; });
  if (!heard) promises_.push_back({rank, position});
  return !heard;
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
