#include "engram/replication/lease.h"

#include <algorithm>

#include "absl/base/macros.h"

namespace engram::replication {

PrimaryLease::PrimaryLease(const LeaseOptions& options, const std::vector<NodeId>& others)
    : lease_(options.lease) {
  ABSL_HARDENING_ASSERT(options.lease < options.wait);
  for (const NodeId& holder : others) sent_.emplace(holder, TimePoint::min());
}

void PrimaryLease::Answered(const NodeId& holder, TimePoint sent) {
  const auto entry = sent_.find(holder);
  if (entry != sent_.end()) entry->second = std::max(entry->second, sent);
}

bool PrimaryLease::IsValid(TimePoint now) const {
  const auto fresh = std::count_if(sent_.begin(), sent_.end(), [&](const auto& entry) {
    return entry.second != TimePoint::min() && now < entry.second + lease_;
  });
  const size_t holders = sent_.size() + 1;
  return static_cast<size_t>(fresh) + 1 > holders / 2;
}

void PrimaryContact::Heard(TimePoint now) {
  heard_ = std::max(heard_, now);
  refused_ = false;
}

}  // namespace engram::replication
