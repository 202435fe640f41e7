// What a primary knows of one holder that follows it, and what it may be sent next: a window of
// entries that are not confirmed yet, sent at once while nothing is on its way and else in batches,
// and sent again when no confirmation comes.
//
// Owned by the machine of its space. Value type; pure.
#pragma once

#include <deque>

#include "engram/base/time.h"
#include "engram/replication/replica_message.h"

namespace engram::replication {

struct ShippingOptions {
  ReadLimits batch;
  Duration batch_delay = std::chrono::milliseconds(10);  // while something else is on its way
  size_t window_bytes = 1u << 20;                        // of entries that are not confirmed
  Duration resend = std::chrono::seconds(1);             // without progress
};

class Follower {
 public:
  explicit Follower(const ShippingOptions& options) : options_(options) {}

  // Its log is a piece of the primary's; until then nothing is sent.
  bool in_step() const { return in_step_; }
  // The end of its log, durably, as far as is known; the default if it is not in step.
  const Version& confirmed() const { return confirmed_; }
  // Its memories are those of its log.
  bool complete() const { return complete_; }
  void SetComplete(bool complete) { complete_ = complete; }
  // A heartbeat goes to it. Whether it has answered none of the last ones: it may have lost what it
  // knew.
  bool Beats() { return ++unanswered_ > kUnansweredMax; }
  void Answered() { unanswered_ = 0; }
  // After which entry the next one to be sent comes.
  const Version& sent() const { return sent_; }

  // How long it has not had all of the log, which ends at `last`.
  Duration BehindFor(const Version& last, TimePoint now) const {
    return confirmed_ == last || behind_since_ == kNever ? Duration() : now - behind_since_;
  }

  // It has to be told the primary's history, anew perhaps.
  void FellOut();
  // REQUIRES: `position` is one of the primary's log, or the default.
  void Confirmed(const Version& position, bool gap, const Version& last, TimePoint now);
  // The log has grown.
  void Grew(TimePoint now);

  // Whether the next batch may go, the log ending at `last`.
  bool MaySend(const Version& last, TimePoint now) const;
  void Sent(const std::vector<Entry>& entries, const Version& last, TimePoint now);
  // What comes next cannot be read.
  void Postpone(TimePoint now);
  // Without a confirmation for too long, what is on its way is taken for lost.
  void Tick(TimePoint now);
  TimePoint NextWake(const Version& last) const;

 private:
  struct OnItsWay {
    Version position;
    size_t bytes;
  };

  void Rewind(TimePoint now);

  ShippingOptions options_;
  static constexpr int kUnansweredMax = 3;

  bool in_step_ = false;
  int unanswered_ = 0;
  bool complete_ = true;
  Version confirmed_;
  Version sent_;
  std::deque<OnItsWay> on_its_way_;
  size_t bytes_ = 0;
  TimePoint progress_{};
  TimePoint behind_since_ = kNever;
  TimePoint rewound_ = TimePoint::min();
  TimePoint flush_at_ = kNever;  // of what waits for company
  TimePoint not_before_{};       // nothing is sent
};

}  // namespace engram::replication
