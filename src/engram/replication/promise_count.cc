#include "engram/replication/promise_count.h"

#include <algorithm>

namespace engram::replication {

bool PromiseCount::Add(const NodeId& promiser, const Version& position) {
  const auto place = std::find(holders_.begin(), holders_.end(), promiser);
  if (place == holders_.end()) return false;
  const auto rank = static_cast<size_t>(place - holders_.begin());
  const bool heard = std::any_of(promises_.begin(), promises_.end(),
                                 [rank](const Promise& promise) { return promise.rank == rank; });
  if (!heard) promises_.push_back({rank, position});
  return !heard;
}

std::optional<NodeId> PromiseCount::MostCaughtUp() const {
  if (!HasMajority()) return std::nullopt;
  const auto best =
      std::max_element(promises_.begin(), promises_.end(), [](const Promise& a, const Promise& b) {
        return a.position != b.position ? a.position < b.position : a.rank > b.rank;
      });
  return holders_[best->rank];
}

}  // namespace engram::replication
