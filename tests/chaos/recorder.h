// Takes down what clients do, as it happens, and which memories there may be.
//
// Thread-safe. Does not own the writer, which outlives it.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "engram/base/mutex.h"
#include "support/history.h"

namespace engram::testing {

// By space.
using MemoryIds = std::map<SpaceId, std::set<std::string>>;

class Recorder {
 public:
  explicit Recorder(HistoryWriter& out) : out_(out) {}

  void Add(const Operation& operation) {
    out_.Write(operation);
    const bool write = operation.kind != OperationKind::kGet;
    if (write && operation.outcome == Outcome::kOk) ++acknowledged_;
    ++recorded_;
    if (operation.id.empty()) return;
    const WriterLock lock(&mutex_);
    ids_[operation.space].insert(operation.id.value());
  }

  // So far: operations, acknowledged writes among them.
  size_t recorded() const { return recorded_; }
  size_t acknowledged() const { return acknowledged_; }

  // All that were ever asked about or made, as far as anybody was told their ids.
  MemoryIds ids() const {
    const WriterLock lock(&mutex_);
    return ids_;
  }

 private:
  HistoryWriter& out_;
  std::atomic<size_t> recorded_ = 0;
  std::atomic<size_t> acknowledged_ = 0;
  mutable Mutex mutex_;
  MemoryIds ids_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::testing
