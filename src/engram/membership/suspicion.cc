#include "engram/membership/suspicion.h"

#include <algorithm>
#include <cmath>

namespace engram::membership {
namespace {

Duration Times(Duration d, double factor) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(d.count()) * factor));
}

int ConfirmationsMax(const SuspicionOptions& options, size_t members) {
  const int wanted = options.multiplier - 2;
  // All but this node and the suspect.
  return static_cast<int>(members) - 2 < wanted ? 0 : wanted;
}

}  // namespace

Suspicion::Suspicion(const SuspicionOptions& options, Duration probe_period, size_t members,
                     TimePoint now)
    : begun_(now),
      shortest_(
          Times(probe_period * options.multiplier,
                std::max(1.0, std::log10(static_cast<double>(std::max<size_t>(members, 1)))))),
      longest_(shortest_ * options.longest_factor),
      confirmations_max_(ConfirmationsMax(options, members)) {}

bool Suspicion::Accuse(const NodeId& accuser) {
  auto place = std::lower_bound(accusers_.begin(), accusers_.end(), accuser);
  if (place != accusers_.end() && *place == accuser) return false;
  const size_t counted = std::min<size_t>(kAccusersMax, confirmations_max_ + 1);
  if (accusers_.size() >= counted) return false;
  accusers_.insert(place, accuser);
  return true;
}

Duration Suspicion::TimeOut() const {
  if (confirmations_max_ <= 0) return shortest_;
  const size_t confirmations = accusers_.empty() ? 0 : accusers_.size() - 1;
  const double share = std::log(static_cast<double>(confirmations) + 1) /
                       std::log(static_cast<double>(confirmations_max_) + 1);
  return std::max(shortest_, longest_ - Times(longest_ - shortest_, share));
}

}  // namespace engram::membership
