#include "engram/replication/tombstone_sweep.h"

#include <utility>

#include "engram/base/planted.h"

namespace engram::replication {

void TombstoneSweep::Restart(TimePoint next) {
  mark_.reset();
  confirmed_.reset();
  swept_ = Version();
  next_sweep_ = next;
}

bool TombstoneSweep::IsConfirmed(const Version& held) const {
  return mark_ && (held >= mark_->position || IsPlanted(Bug::kCollectedUnconfirmed));
}

bool TombstoneSweep::IsDue(const SpaceLog& log, const Version& held, TimePoint now) {
  if (confirmed_) return now >= next_piece_;
  if (now < next_sweep_) return false;
  if (!mark_ && log.last() != swept_) mark_ = Mark{log.last(), log.logged};
  if (!IsConfirmed(held)) return false;
  confirmed_ = std::exchange(mark_, std::nullopt);
  after_.clear();
  next_piece_ = now;
  return true;
}

void TombstoneSweep::GoOnAfter(const std::string& until, TimePoint now) {
  after_ = until;
  next_piece_ = now + options_.pace;
}

void TombstoneSweep::End(TimePoint next) {
  swept_ = confirmed_->position;
  confirmed_.reset();
  next_sweep_ = next;
}

TimePoint TombstoneSweep::NextWake(const Version& last, const Version& held) const {
  if (confirmed_) return next_piece_;
  if (mark_) return IsConfirmed(held) ? next_sweep_ : kNever;
  return last == swept_ ? kNever : next_sweep_;
}

}  // namespace engram::replication
