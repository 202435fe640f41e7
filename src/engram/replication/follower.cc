#include "engram/replication/follower.h"

namespace engram::replication {
namespace {

// Every batch behind a lost one says that there is a gap; one answer to all of them is enough.
constexpr Duration kRewindPause = std::chrono::milliseconds(100);

}  // namespace

void Follower::FellOut() {
  in_step_ = false;
  confirmed_ = sent_ = Version();
  on_its_way_.clear();
  bytes_ = 0;
}

void Follower::Confirmed(const Version& position, bool gap, const Version& last, TimePoint now) {
  if (position == last) behind_since_ = kNever;
  if (!in_step_) {
    in_step_ = true;
    confirmed_ = sent_ = position;
    progress_ = now;
    return;
  }
  if (position > confirmed_) {
    confirmed_ = position;
    progress_ = now;
  }
  // It may have had them from before.
  if (confirmed_ > sent_) sent_ = confirmed_;
  while (!on_its_way_.empty() && on_its_way_.front().position <= confirmed_) {
    bytes_ -= on_its_way_.front().bytes;
    on_its_way_.pop_front();
  }
  if (gap && (rewound_ == TimePoint::min() || now >= rewound_ + kRewindPause)) Rewind(now);
}

void Follower::Rewind(TimePoint now) {
  sent_ = confirmed_;
  on_its_way_.clear();
  bytes_ = 0;
  progress_ = rewound_ = now;
}

void Follower::Grew(TimePoint now) {
  if (behind_since_ == kNever) behind_since_ = now;
  if (flush_at_ == kNever) flush_at_ = now + options_.batch_delay;
}

bool Follower::MaySend(const Version& last, TimePoint now) const {
  if (!in_step_ || sent_ >= last || bytes_ >= options_.window_bytes) return false;
  if (now < not_before_) return false;
  if (on_its_way_.empty() || now >= flush_at_) return true;
  const bool full =
      sent_.epoch != last.epoch || last.sequence - sent_.sequence >= options_.batch.entries_max;
  return full;
}

void Follower::Sent(const std::vector<Entry>& entries, const Version& last, TimePoint now) {
  if (on_its_way_.empty()) progress_ = now;
  for (const Entry& entry : entries) {
    on_its_way_.push_back({entry.position, entry.bytes.size()});
    bytes_ += entry.bytes.size();
  }
  sent_ = entries.back().position;
  // The store may be ahead of what is known of it.
  if (sent_ >= last) flush_at_ = kNever;
}

void Follower::Postpone(TimePoint now) { not_before_ = flush_at_ = now + options_.resend; }

void Follower::Tick(TimePoint now) {
  if (!on_its_way_.empty() && now >= progress_ + options_.resend) Rewind(now);
}

TimePoint Follower::NextWake(const Version& last) const {
  if (!in_step_) return kNever;
  TimePoint wake = on_its_way_.empty() ? kNever : progress_ + options_.resend;
  if (sent_ < last && bytes_ < options_.window_bytes) {
    wake = std::min(wake, std::max(flush_at_, not_before_));
  }
  return wake;
}

}  // namespace engram::replication
