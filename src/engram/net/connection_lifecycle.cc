#include "engram/net/connection_lifecycle.h"

#include <algorithm>

namespace engram::net::internal {
namespace {

TimePoint After(TimePoint since, Duration limit) {
  return limit == kNoLimit ? kNever : since + limit;
}

}  // namespace

bool ConnectionLifecycle::IsDue(Duration limit, TimePoint since, TimePoint now) const {
  return now >= After(since, limit);
}

ConnectionLifecycle::Due ConnectionLifecycle::End(TimePoint now) const {
  if (!begun_ && IsDue(limits_.preface_timeout, born_, now)) {
    return {Action::kClose, Reason::kUnfinished};
  }
  if (pinged_.has_value() && IsDue(limits_.keepalive_timeout, *pinged_, now)) {
    return {Action::kClose, Reason::kSilent};
  }
  if (limits_.age_max != kNoLimit && IsDue(limits_.age_grace, born_ + limits_.age_max, now)) {
    return {Action::kClose, Reason::kOld};
  }
  if (draining_) return {};
  if (IsDue(limits_.age_max, born_, now)) return {Action::kDrain, Reason::kOld};
  if (!used_ && IsDue(limits_.first_request_timeout, born_, now)) {
    return {Action::kDrain, Reason::kUnused};
  }
  if (used_ && !busy_ && IsDue(limits_.idle_max, idle_since_, now)) {
    return {Action::kDrain, Reason::kIdle};
  }
  return {};
}

ConnectionLifecycle::Due ConnectionLifecycle::Tick(TimePoint now) {
  if (const Due end = End(now); end.action != Action::kNone) {
    draining_ = true;
    return end;
  }
  if (begun_ && !pinged_.has_value() && IsDue(limits_.keepalive_interval, last_alive_, now)) {
    pinged_ = now;
    return {Action::kPing, Reason::kSilent};
  }
  // Not idle yet: it will not be before now.
  if (busy_ || !used_) idle_since_ = now;
  return {};
}

TimePoint ConnectionLifecycle::NextTick() const {
  TimePoint next = kNever;
  const auto consider = [&next](TimePoint since, Duration limit) {
    next = std::min(next, After(since, limit));
  };
  if (!begun_) consider(born_, limits_.preface_timeout);
  if (pinged_.has_value()) {
    consider(*pinged_, limits_.keepalive_timeout);
  } else if (begun_) {
    consider(last_alive_, limits_.keepalive_interval);
  }
  if (limits_.age_max != kNoLimit) {
    consider(born_ + limits_.age_max, draining_ ? limits_.age_grace : Duration::zero());
  }
  if (draining_) return next;
  if (!used_) consider(born_, limits_.first_request_timeout);
  consider(idle_since_, limits_.idle_max);
  return next;
}

}  // namespace engram::net::internal
