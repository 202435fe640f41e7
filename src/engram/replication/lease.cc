#include "engram/replication/lease.h"

#include <algorithm>
#include <functional>

#include "absl/base/macros.h"
#include "engram/base/planted.h"

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

// Valid as long as the one that completes the majority was heard lately enough.
TimePoint PrimaryLease::ValidUntil() const { return HeardUntil((sent_.size() + 1) / 2); }

void PrimaryLease::AnsweredForgetful(const NodeId& holder, TimePoint sent) {
  sent_forgetful_[holder] = sent;
}

// Half of all is enough for that, where it is none for a lease.
bool PrimaryLease::OutvotesTheRest(TimePoint now) const {
  if (now < HeardUntil(sent_.size() / 2)) return true;
  return std::all_of(sent_.begin(), sent_.end(), [&](const auto& other) {
    const auto forgetful = sent_forgetful_.find(other.first);
    const TimePoint heard = forgetful == sent_forgetful_.end()
                                ? other.second
                                : std::max(other.second, forgetful->second);
    return heard != TimePoint::min() && now < heard + lease_;
  });
}

TimePoint PrimaryLease::HeardUntil(size_t others) const {
  if (others == 0) return kNever;
  std::vector<TimePoint> newest;
  newest.reserve(sent_.size());
  for (const auto& [holder, sent] : sent_) newest.push_back(sent);
  std::sort(newest.begin(), newest.end(), std::greater<>());
  const TimePoint last = newest[others - 1];
  return last == TimePoint::min() ? last : last + lease_;
}

void PrimaryContact::Heard(TimePoint now) {
  heard_ = std::max(heard_, now);
  refused_ = refused_ && IsPlanted(Bug::kRefusalSticks);
}

}  // namespace engram::replication
