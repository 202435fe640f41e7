#include "engram/replication/epoch_history.h"

#include <algorithm>
#include <utility>

#include "absl/base/macros.h"

namespace engram::replication {
namespace {

bool EpochLess(const Version& row, const Epoch& epoch) { return row.epoch < epoch; }

}  // namespace

std::optional<EpochHistory> EpochHistory::FromRows(std::vector<Version> rows) {
  Epoch before;
  for (const Version& row : rows) {
    if (row.sequence == 0 || row.epoch <= before) return std::nullopt;
    before = row.epoch;
  }
  EpochHistory history;
  history.rows_ = std::move(rows);
  return history;
}

bool EpochHistory::MayAppend(const Version& position) const {
  const Version newest = last();
  if (position.epoch == newest.epoch) {
    return !rows_.empty() && position.sequence == newest.sequence + 1;
  }
  return position.epoch > newest.epoch && position.sequence == 1;
}

void EpochHistory::Append(const Version& position) {
  ABSL_HARDENING_ASSERT(MayAppend(position));
  if (position.sequence == 1) {
    rows_.push_back(position);
  } else {
    rows_.back() = position;
  }
}

bool EpochHistory::Contains(const Version& position) const {
  const auto row = std::lower_bound(rows_.begin(), rows_.end(), position.epoch, EpochLess);
  return row != rows_.end() && row->epoch == position.epoch && position.sequence >= 1 &&
         position.sequence <= row->sequence;
}

std::optional<Version> EpochHistory::After(const Version& position) const {
  for (const Version& row : rows_) {
    if (row.epoch > position.epoch) return Version{row.epoch, 1};
    if (row.epoch == position.epoch && row.sequence > position.sequence) {
      return Version{row.epoch, position.sequence + 1};
    }
  }
  return std::nullopt;
}

Version EpochHistory::CommonWith(const EpochHistory& other) const {
  Version common;
  for (size_t i = 0; i < std::min(rows_.size(), other.rows_.size()); ++i) {
    if (rows_[i].epoch != other.rows_[i].epoch) break;
    common = std::min(rows_[i], other.rows_[i]);
    if (rows_[i] != other.rows_[i]) break;
  }
  return common;
}

void EpochHistory::CutAfter(const Version& position) {
  ABSL_HARDENING_ASSERT(position == Version() || Contains(position));
  rows_.erase(std::lower_bound(rows_.begin(), rows_.end(), position.epoch, EpochLess), rows_.end());
  if (position.sequence > 0) rows_.push_back(position);
}

}  // namespace engram::replication
