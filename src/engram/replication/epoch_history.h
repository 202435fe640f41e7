// Which positions stand in the log of a space: for each epoch, its last sequence. Enough to tell
// how much of one log is history of another, without an entry of either, also when both are trimmed
// (docs/model, decision 16).
//
// Two logs that have one position are equal up to it: an epoch has one primary, who ships only what
// is durable, and a follower appends only what comes next.
//
// Value type. A few rows: one for each failover that a space has seen.
#pragma once

#include <optional>
#include <vector>

#include "engram/base/version.h"

namespace engram::replication {

class EpochHistory {
 public:
  // What rows() gave; nothing if it cannot have.
  static std::optional<EpochHistory> FromRows(std::vector<Version> rows);

  // Of the newest entry; the default for an empty log, which is older than every position.
  Version last() const { return rows_.empty() ? Version() : rows_.back(); }

  // Whether `position` may be the next entry: the next sequence of the last epoch, or the first one
  // (1) of a newer epoch.
  bool MayAppend(const Version& position) const;

  // REQUIRES: MayAppend(position).
  void Append(const Version& position);

  // Whether the entry at `position` is, or before trimming was, in this log.
  bool Contains(const Version& position) const;

  // The one that comes next in this log; nothing at its end. REQUIRES: Contains(position), or
  // `position` is the default, before the first one.
  std::optional<Version> After(const Version& position) const;

  // The newest position that both logs have; the default if none. What this log has beyond it is
  // its tail: the primary whose history `other` is lacks it.
  Version CommonWith(const EpochHistory& other) const;

  // Forgets what comes after `position`. REQUIRES: Contains(position), or `position` is the
  // default, which empties it.
  void CutAfter(const Version& position);

  // Ascending by epoch; the sequence is the last one of that epoch here.
  const std::vector<Version>& rows() const { return rows_; }

  friend bool operator==(const EpochHistory&, const EpochHistory&) = default;

 private:
  std::vector<Version> rows_;
};

}  // namespace engram::replication
