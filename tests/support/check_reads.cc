// What is judged by what gets show: promise 10.
//
// A get must reflect many writes, but it is enough to look at the last begun of them and at the one
// with the highest place: who may have replaced these may have replaced all the others. `Owed`
// finds them in O(log n).
#include <fmt/format.h>

#include <algorithm>

#include "support/checker_index.h"

namespace engram::testing {
namespace {

// Something that certain later gets must reflect: an acknowledged store, or content that a get
// showed.
struct Known {
  const Request* request;
  TimePoint since;
  uint64_t reached;  // who has this much of the log has it
  uint64_t place;    // its own place in the log; 0: not certain
  size_t line;       // where it was acknowledged or shown
};

// Known things in order of `since` or of `reached`, and the best of each beginning of that row.
class Row {
 public:
  void Add(const Known& known) { all_.push_back(known); }

  template <class Order>
  void Sort(Order Known::*by) {
    std::stable_sort(all_.begin(), all_.end(),
                     [by](const Known& a, const Known& b) { return a.*by < b.*by; });
    size_t youngest = 0;
    size_t highest = 0;
    for (size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].request->begin > all_[youngest].request->begin) youngest = i;
      if (all_[i].place > all_[highest].place) highest = i;
      best_.emplace_back(youngest, highest);
    }
  }

  // Of those with `by` below `bound`, the last begun and the one with the highest place.
  template <class Order>
  void Best(Order Known::*by, const Order& bound, std::vector<const Known*>& out) const {
    const auto end = std::lower_bound(
        all_.begin(), all_.end(), bound,
        [by](const Known& known, const Order& value) { return known.*by < value; });
    if (end == all_.begin()) return;
    const auto& [youngest, highest] = best_[static_cast<size_t>(end - all_.begin()) - 1];
    out.push_back(&all_[youngest]);
    if (highest != youngest) out.push_back(&all_[highest]);
  }

 private:
  std::vector<Known> all_;
  std::vector<std::pair<size_t, size_t>> best_;
};

using EpochKey = std::pair<uint64_t, std::string_view>;
EpochKey KeyOf(const Version& version) {
  return {version.epoch.counter, version.epoch.primary.view()};
}

// What gets of one memory owe.
class Owed {
 public:
  Owed(const HistoryIndex& index, const MemoryKey& key, const Memory& memory) {
    for (const Request* store : memory.stores) {
      if (store->ack != nullptr && index.IsOwed(*store->ack)) AddStore(*store);
    }
    for (const Operation* get : memory.gets) {
      if (!get->flagged && !index.DiskLost(get->served_by)) AddShown(index, key, *get);
    }
    by_quorum_.Sort(&Known::since);
    for (auto& [node, row] : by_node_) row.Sort(&Known::since);
    for (auto& [epoch, row] : by_epoch_) row.Sort(&Known::since);
    for (auto& [epoch, row] : by_token_) row.Sort(&Known::reached);
  }

  // The strongest of what `get` must reflect.
  std::vector<const Known*> Of(const Operation& get) const {
    std::vector<const Known*> out;
    by_quorum_.Best(&Known::since, get.begin, out);
    if (const auto row = by_node_.find(get.served_by.view()); row != by_node_.end()) {
      row->second.Best(&Known::since, get.begin, out);
    }
    if (const auto row = by_epoch_.find(KeyOf(get.version)); row != by_epoch_.end()) {
      row->second.Best(&Known::since, get.begin, out);
    }
    if (const auto row = by_token_.find(KeyOf(get.token)); row != by_token_.end()) {
      row->second.Best(&Known::reached, get.token.sequence + 1, out);
    }
    return out;
  }

 private:
  void AddStore(const Request& store) {
    const Operation& ack = *store.ack;
    const uint64_t reached = ack.version.sequence;
    const uint64_t place = store.has_one_place() ? reached : 0;
    const Known known{&store, ack.end.value_or(kNever), reached, place, ack.line};
    if (ack.ack != AckLevel::kPrimary) by_quorum_.Add(known);
    if (!ack.served_by.empty()) by_node_[ack.served_by.view()].Add(known);
    if (IsKnown(ack.version)) AddToEpoch(ack.version, known);
  }

  // Only the primary has nothing but its log, so that who has its log has what it showed.
  void AddShown(const HistoryIndex& index, const MemoryKey& key, const Operation& get) {
    const bool at_primary = IsKnown(get.version) && get.served_by == get.version.epoch.primary;
    for (const Revision& revision : get.revisions) {
      const Request* writer = index.WriterOf(key, revision.value);
      if (writer == nullptr) continue;
      const Known known{writer, get.end.value_or(kNever), get.version.sequence, 0, get.line};
      if (!get.served_by.empty()) by_node_[get.served_by.view()].Add(known);
      if (at_primary) AddToEpoch(get.version, known);
    }
  }

  void AddToEpoch(const Version& version, const Known& known) {
    by_epoch_[KeyOf(version)].Add(known);
    by_token_[KeyOf(version)].Add(known);
  }

  Row by_quorum_;
  absl::flat_hash_map<std::string_view, Row> by_node_;
  absl::flat_hash_map<EpochKey, Row> by_epoch_;
  absl::flat_hash_map<EpochKey, Row> by_token_;
};

std::string Describe(const Operation& get) {
  if (get.revisions.empty()) return "nothing";
  std::string out = get.revisions.front().value;
  for (size_t i = 1; i < get.revisions.size(); ++i) out += " beside " + get.revisions[i].value;
  return out;
}

void CheckFresh(const HistoryIndex& index, const MemoryKey& key, const Memory& memory,
                const Owed& owed, const Operation& get, Report& report) {
  const Shown shown{key, memory, get.revisions, get.end.value_or(kNever)};
  for (const Known* known : owed.Of(get)) {
    if (IsExplained(index, shown, *known->request)) continue;
    report.Add(Promise::kNeverWrong, {get.line, known->line},
               fmt::format("{}/{} is shown without the flag as {}, which is older than {}, known "
                           "before",
                           key.first, key.second, Describe(get), known->request->value()));
    return;
  }
}

// `get` owes `ack`, of a forget: the same four ways as in `Owed`.
bool Owes(const HistoryIndex& index, const Operation& get, const Operation& ack) {
  if (!index.IsOwed(ack)) return false;
  if (SameLog(ack.version, get.token) && ack.version.sequence <= get.token.sequence) return true;
  if (ack.end.value_or(kNever) >= get.begin) return false;
  if (ack.ack != AckLevel::kPrimary || SameLog(ack.version, get.version)) return true;
  return !ack.served_by.empty() && ack.served_by == get.served_by;
}

void CheckDeleted(const HistoryIndex& index, const MemoryKey& key, const Memory& memory,
                  const Operation& get, const Request& store, Report& report) {
  const auto first =
      std::upper_bound(memory.forgets.begin(), memory.forgets.end(), store.all_ended,
                       [](TimePoint time, const Request* forget) { return time < forget->begin; });
  for (auto at = first; at != memory.forgets.end() && (*at)->begin < get.begin; ++at) {
    const Request& forget = **at;
    if (!Saw(index, forget, store) || !Owes(index, get, *forget.ack)) continue;
    report.Add(Promise::kNeverWrong, {get.line, forget.ack->line},
               fmt::format("{}/{} is shown without the flag as {}, which had been deleted by {}",
                           key.first, key.second, store.value(), forget.first().request));
    return;
  }
}

// Nobody can have written this by then.
std::string WhyInvented(const Request* writer, TimePoint by) {
  if (writer == nullptr) return "which nobody wrote there";
  if (writer->possible == 0) return "the store of which had failed";
  if (writer->begin > by) return "the store of which had not begun";
  return {};
}

void CheckInvented(const HistoryIndex& index, const MemoryKey& key, TimePoint by, size_t line,
                   const std::vector<Revision>& revisions, Report& report) {
  for (const Revision& revision : revisions) {
    const std::string why = WhyInvented(index.WriterOf(key, revision.value), by);
    if (why.empty()) continue;
    report.Add(Promise::kNeverWrong, {line},
               fmt::format("{}/{} is {}, {}", key.first, key.second, revision.value, why));
  }
}

void CheckMemory(const HistoryIndex& index, const MemoryKey& key, const Memory& memory,
                 Report& report) {
  if (memory.gets.empty()) return;
  const Owed owed(index, key, memory);
  for (const Operation* get : memory.gets) {
    CheckInvented(index, key, get->end.value_or(kNever), get->line, get->revisions, report);
    if (get->flagged) continue;
    CheckFresh(index, key, memory, owed, *get, report);
    for (const Revision& revision : get->revisions) {
      const Request* writer = index.WriterOf(key, revision.value);
      if (writer != nullptr) CheckDeleted(index, key, memory, *get, *writer, report);
    }
  }
}

}  // namespace

void CheckReads(const History& history, const HistoryIndex& index, Report& report) {
  for (const auto& [key, memory] : index.memories()) CheckMemory(index, key, memory, report);
  for (const Held& held : history.held) {
    CheckInvented(index, {held.space.view(), held.id.view()}, kNever, held.line, held.revisions,
                  report);
  }
}

}  // namespace engram::testing
