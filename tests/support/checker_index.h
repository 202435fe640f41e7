// A history put in order for the checker: by memory and by request. Inside of the checker only.
//
// Not thread-safe; points into the history, which must outlive it.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>

#include <deque>
#include <string_view>
#include <utility>
#include <vector>

#include "support/checker.h"
#include "support/history.h"

namespace engram::testing {

inline bool IsKnown(const Version& version) { return version.epoch.counter != 0; }

// Everything that was asked under one request id: at most one effect.
struct Request {
  absl::InlinedVector<const Operation*, 1> operations;
  TimePoint begin = kNever;                // the effect is not before
  TimePoint latest = kNever;               // nor after: the end of the first `ok`, or never
  TimePoint all_ended = TimePoint::min();  // kNever: something of it may still be under way
  // A duplicate of the effect is not after. That of the entry node ends with its deadline.
  TimePoint latest_duplicate = TimePoint::min();
  const Operation* ack = nullptr;  // the first `ok` by time
  size_t possible = 0;             // tries that are not known to have failed

  const Operation& first() const { return *operations.front(); }
  // The place of its effect is that of `ack`, now and after every merge. Not so of a request that
  // may have taken effect on both sides of a split: one of the two effects is a duplicate in the
  // end, and the acknowledged one may be that. The entry node may have caused it, too: by asking a
  // primary that it could not hear, and then taking the write by itself.
  bool has_one_place() const {
    return ack != nullptr && possible == 1 && (!ack->flagged || ack->hops == 0);
  }
  // It may have taken effect at two nodes.
  bool may_have_duplicate() const { return ack == nullptr || possible > 1 || ack->hops != 0; }
  bool is_store() const { return first().kind == OperationKind::kStore; }
  std::string_view value() const { return first().revisions.front().value; }
};

// What happened to one memory.
struct Memory {
  std::vector<const Request*> stores;
  std::vector<const Request*> forgets;   // by begin, once sorted
  std::vector<TimePoint> latest_forget;  // [i]: the largest `latest` of forgets[0..i]
  std::vector<const Request*> doubtful;  // stores and forgets that may have a duplicate
  std::vector<const Operation*> gets;
};

using MemoryKey = std::pair<std::string_view, std::string_view>;  // space, id

class HistoryIndex {
 public:
  explicit HistoryIndex(const History& history, const CheckerOptions& options);
  HistoryIndex(const HistoryIndex&) = delete;
  HistoryIndex& operator=(const HistoryIndex&) = delete;

  const std::deque<Request>& requests() const { return requests_; }  // in the order of the file
  const std::vector<std::pair<MemoryKey, Memory>>& memories() const { return memories_; }

  // Null when nothing was asked about it.
  const Memory* Find(const MemoryKey& key) const;
  // Who wrote this content into this memory, or, with its id untold, somewhere in this space; null:
  // nobody.
  const Request* WriterOf(const MemoryKey& key, std::string_view value) const;

  bool DiskLost(const NodeId& node) const { return lost_.contains(node.view()); }
  // The disks survive that `ack`, of a write, stands on (promise 1). REQUIRES: ack.outcome == kOk.
  bool IsOwed(const Operation& ack) const;

 private:
  void AddRequests(const History& history);
  void AddMemories(const History& history);
  Memory& MemoryOf(const Operation& operation);

  size_t majority_;
  absl::flat_hash_set<std::string_view> lost_;
  std::deque<Request> requests_;
  std::vector<std::pair<MemoryKey, Memory>> memories_;
  absl::flat_hash_map<MemoryKey, size_t> memory_at_;
  absl::flat_hash_map<std::pair<std::string_view, std::string_view>, const Request*> by_value_;
};

// One place for each epoch: two changes of one log with their order known. Fakes no order between
// different logs.
bool SameLog(const Version& one, const Version& other);

// What somebody has of one memory, and by when.
struct Shown {
  MemoryKey key;
  const Memory& memory;
  const std::vector<Revision>& revisions;
  TimePoint by = kNever;
};

// What `store` wrote is shown, or something that may have come after it. O(log n), but for what
// only a duplicate can explain.
bool IsExplained(const HistoryIndex& index, const Shown& shown, const Request& store);

// `forget` certainly saw what `store` wrote, so that it deleted it (promise 7).
bool Saw(const HistoryIndex& index, const Request& forget, const Request& store);

// Collects violations: lists some, counts all.
class Report {
 public:
  explicit Report(size_t listed_max) : listed_max_(listed_max) {}
  void Add(Promise promise, std::vector<size_t> lines, std::string why);
  Verdict Take() { return std::move(verdict_); }

 private:
  size_t listed_max_;
  Verdict verdict_;
};

// One for each promise, in files of their own.
void CheckRecord(const History& history, const HistoryIndex& index, Report& report);
void CheckNothingLost(const History& history, const HistoryIndex& index, Report& report);
void CheckOnePrimary(const History& history, const HistoryIndex& index, Report& report);
void CheckCopiesEqual(const History& history, Report& report);
void CheckHops(const History& history, const CheckerOptions& options, Report& report);
void CheckOneEffect(const History& history, const HistoryIndex& index, Report& report);
void CheckInTime(const History& history, const CheckerOptions& options, Report& report);
void CheckStaysDeleted(const History& history, const HistoryIndex& index, Report& report);
void CheckReads(const History& history, const HistoryIndex& index, Report& report);

}  // namespace engram::testing
