#include "support/checker_index.h"

#include <algorithm>

namespace engram::testing {
namespace {

TimePoint LatestDuplicate(const Operation& op) {
  if (op.outcome != Outcome::kOk || !op.end) return kNever;
  return op.hops == 0 ? *op.end : std::max(*op.end, op.deadline.value_or(kNever));
}

void AddOperation(Request& request, const Operation& op) {
  request.operations.push_back(&op);
  request.begin = std::min(request.begin, op.begin);
  const bool certain = op.outcome != Outcome::kUnknown && op.end;
  request.all_ended = certain ? std::max(request.all_ended, *op.end) : kNever;
  if (op.outcome != Outcome::kFail) {
    ++request.possible;
    request.latest_duplicate = std::max(request.latest_duplicate, LatestDuplicate(op));
  }
  if (op.outcome != Outcome::kOk) return;
  if (request.ack == nullptr || op.end.value_or(kNever) < request.latest) request.ack = &op;
  request.latest = std::min(request.latest, op.end.value_or(kNever));
}

void SortForgets(Memory& memory) {
  std::stable_sort(memory.forgets.begin(), memory.forgets.end(),
                   [](const Request* a, const Request* b) { return a->begin < b->begin; });
  TimePoint latest = TimePoint::min();
  for (const Request* forget : memory.forgets) {
    latest = std::max(latest, forget->latest);
    memory.latest_forget.push_back(latest);
  }
}

}  // namespace

HistoryIndex::HistoryIndex(const History& history, const CheckerOptions& options)
    : majority_(options.copies / 2 + 1) {
  for (const LostDisk& lost : history.lost_disks) lost_.insert(lost.node.view());
  AddRequests(history);
  AddMemories(history);
}

void HistoryIndex::AddRequests(const History& history) {
  absl::flat_hash_map<std::string_view, Request*> by_id;
  for (const Operation& op : history.operations) {
    if (op.kind == OperationKind::kGet) continue;
    if (op.kind == OperationKind::kStore && op.revisions.empty()) continue;  // CheckRecord says so
    Request*& request = by_id[op.request];
    if (request == nullptr) request = &requests_.emplace_back();
    AddOperation(*request, op);
  }
}

void HistoryIndex::AddMemories(const History& history) {
  for (const Request& request : requests_) {
    const Operation& op = request.ack != nullptr ? *request.ack : request.first();
    if (request.is_store())
      by_value_.emplace(std::pair(op.space.view(), request.value()), &request);
    if (request.possible == 0 || op.id.empty()) continue;
    Memory& memory = MemoryOf(op);
    (request.is_store() ? memory.stores : memory.forgets).push_back(&request);
    if (request.may_have_duplicate()) memory.doubtful.push_back(&request);
  }
  for (const Operation& op : history.operations) {
    if (op.kind == OperationKind::kGet && op.outcome == Outcome::kOk) {
      MemoryOf(op).gets.push_back(&op);
    }
  }
  for (auto& [key, memory] : memories_) SortForgets(memory);
}

Memory& HistoryIndex::MemoryOf(const Operation& operation) {
  const MemoryKey key(operation.space.view(), operation.id.view());
  const auto [found, is_new] = memory_at_.try_emplace(key, memories_.size());
  if (is_new) memories_.emplace_back(key, Memory{});
  return memories_[found->second].second;
}

const Memory* HistoryIndex::Find(const MemoryKey& key) const {
  const auto found = memory_at_.find(key);
  return found == memory_at_.end() ? nullptr : &memories_[found->second].second;
}

const Request* HistoryIndex::WriterOf(const MemoryKey& key, std::string_view value) const {
  const auto found = by_value_.find(std::pair(key.first, value));
  if (found == by_value_.end()) return nullptr;
  const auto& operations = found->second->operations;
  const bool fits = std::any_of(operations.begin(), operations.end(), [&](const Operation* op) {
    return op->id.empty() || op->id.view() == key.second;
  });
  return fits ? found->second : nullptr;
}

bool HistoryIndex::IsOwed(const Operation& ack) const {
  if (ack.ack == AckLevel::kPrimary)
    return lost_.empty() || !(ack.served_by.empty() || DiskLost(ack.served_by));
  return lost_.size() < majority_;
}

bool SameLog(const Version& one, const Version& other) {
  return IsKnown(one) && one.epoch == other.epoch;
}

bool Saw(const HistoryIndex& index, const Request& forget, const Request& store) {
  if (!forget.has_one_place() || !store.has_one_place()) return false;
  const Operation& deleted = *forget.ack;
  const Operation& stored = *store.ack;
  if (store.all_ended >= forget.begin) return false;
  if (SameLog(deleted.version, stored.version)) {
    return stored.version.sequence < deleted.version.sequence;
  }
  if (!deleted.first_effect) return false;  // its effect may have been elsewhere, and earlier
  if (stored.ack != AckLevel::kPrimary && !deleted.flagged) return true;
  return !deleted.served_by.empty() && deleted.served_by == stored.served_by &&
         !index.DiskLost(deleted.served_by);
}

void Report::Add(Promise promise, std::vector<size_t> lines, std::string why) {
  ++verdict_.counts.at(static_cast<size_t>(promise));
  if (verdict_.violations.size() >= listed_max_) return;
  verdict_.violations.push_back({promise, std::move(lines), std::move(why)});
}

}  // namespace engram::testing
