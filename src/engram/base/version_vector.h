// Which changes of a space somebody has: for each stream, the newest one. A stream is what one
// node has written under one counter, named by the epoch (counter, writer); it is numbered without
// going back, and whoever has one change of it has all that came before it in it. So one number a
// stream is enough (docs/model, decision 19).
//
// Value type: a few rows, one for each failover or branch that a space has seen.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "engram/base/version.h"

namespace engram {

class VersionVector {
 public:
  VersionVector() = default;
  explicit VersionVector(const std::vector<Version>& rows) {
    for (const Version& row : rows) Add(row);
  }

  // The newest sequence of the stream; 0 if there is none.
  uint64_t SequenceOf(const Epoch& stream) const {
    auto at = Find(stream);
    return at != rows_.end() && at->epoch == stream ? at->sequence : 0;
  }
  bool Covers(const Version& change) const {
    return change.sequence != 0 && SequenceOf(change.epoch) >= change.sequence;
  }
  bool Covers(const VersionVector& other) const {
    return std::all_of(other.rows_.begin(), other.rows_.end(),
                       [this](const Version& row) { return Covers(row); });
  }

  // That change, and all before it in its stream. A sequence of 0 adds nothing.
  void Add(const Version& change) {
    if (SequenceOf(change.epoch) < change.sequence) Set(change);
  }
  void Join(const VersionVector& other) {
    for (const Version& row : other.rows_) Add(row);
  }
  // The stream ends there, also if it went further; 0 drops it.
  void Set(const Version& last) {
    auto at = Find(last.epoch);
    const bool there = at != rows_.end() && at->epoch == last.epoch;
    if (last.sequence == 0) {
      if (there) rows_.erase(at);
    } else if (there) {
      at->sequence = last.sequence;
    } else {
      rows_.insert(at, last);
    }
  }

  bool empty() const { return rows_.empty(); }
  // Ascending by stream, each once.
  const std::vector<Version>& rows() const { return rows_; }

  friend bool operator==(const VersionVector&, const VersionVector&) = default;

 private:
  std::vector<Version>::iterator Find(const Epoch& stream) {
    return std::lower_bound(rows_.begin(), rows_.end(), stream,
                            [](const Version& row, const Epoch& e) { return row.epoch < e; });
  }
  std::vector<Version>::const_iterator Find(const Epoch& stream) const {
    return const_cast<VersionVector*>(this)->Find(stream);
  }

  std::vector<Version> rows_;
};

}  // namespace engram
