// When a primary lets all holders drop which tombstones (SPEC C9; docs/model, decision 19).
//
// It marks the end of its log and what stands in it. Once all holders have confirmed the mark, it
// goes through the tombstones, some at a time, and has those collected of which all that they stand
// against is before the mark: no holder, and so no later primary, will ever take that again. Then
// it marks anew, if there is anything new.
//
//   mark ─── all holders have it ───▶ sweep: pieces of the tombstones, one entry each ──▶ pause
//    ▲                                                                                     │
//    └────────────────────────── the log has grown ◀──────────────────────────────────────┘
//
// Owned by the machine of its space, which tells it the time. Pure; not thread-safe.
#pragma once

#include <optional>
#include <string>

#include "engram/base/time.h"
#include "engram/replication/log_port.h"

namespace engram::replication {

struct SweepOptions {
  // From the end of a sweep to the next one, of a space that changes; from half of it to half as
  // much again, so that not all spaces are swept at once.
  Duration period = std::chrono::minutes(1);
  Duration pace = std::chrono::milliseconds(100);  // from one piece of a sweep to the next
  ReadLimits piece{500, 1u << 20};                 // what is looked at, and at most collected
};

class TombstoneSweep {
 public:
  explicit TombstoneSweep(const SweepOptions& options) : options_(options) {}

  // As if nothing had ever been swept or confirmed; not before `next`. For who takes office: what a
  // former epoch knew of the others is worth nothing.
  void Restart(TimePoint next);

  // Whether a piece is to be read now. `held`: up to where all holders have the log; the default
  // where nothing counts.
  bool IsDue(const SpaceLog& log, const Version& held, TimePoint now);
  // What to read. REQUIRES: it is due.
  const std::string& after() const { return after_; }
  const VersionVector& confirmed() const { return confirmed_->logged; }
  // It was read, up to there.
  void GoOnAfter(const std::string& until, TimePoint now);
  // It was read, up to the end. The next sweep is not before `next`.
  void End(TimePoint next);

  // When IsDue may become true by itself.
  TimePoint NextWake(const Version& last, const Version& held) const;

 private:
  struct Mark {
    Version position;
    VersionVector logged;
  };
  bool IsConfirmed(const Version& held) const;

  SweepOptions options_;
  std::optional<Mark> mark_;       // not confirmed yet
  std::optional<Mark> confirmed_;  // the sweep that is under way is by this
  Version swept_;                  // the position of the last one
  std::string after_;
  TimePoint next_piece_{};
  TimePoint next_sweep_{};
};

}  // namespace engram::replication
