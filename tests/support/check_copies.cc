// What is judged by the final content of the copies: promises 1, 3 and 7.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "support/checker_index.h"

namespace engram::testing {
namespace {

using Revisions = std::vector<Revision>;
using HeldByMemory = absl::flat_hash_map<MemoryKey, absl::InlinedVector<const Held*, 3>>;

MemoryKey KeyOf(const Held& held) { return {held.space.view(), held.id.view()}; }

HeldByMemory ByMemory(const History& history) {
  HeldByMemory out;
  for (const Held& held : history.held) out[KeyOf(held)].push_back(&held);
  return out;
}

const Held* HeldBy(const HeldByMemory& all, const MemoryKey& key, const NodeId& node) {
  const auto found = all.find(key);
  if (found == all.end()) return nullptr;
  for (const Held* held : found->second) {
    if (held->node == node) return held;
  }
  return nullptr;
}

std::string Describe(const Revisions& revisions) {
  if (revisions.empty()) return "nothing";
  std::string out = revisions.front().value;
  for (size_t i = 1; i < revisions.size(); ++i) out += " beside " + revisions[i].value;
  return out;
}

using CopiesBySpace = absl::flat_hash_map<std::string_view, std::vector<const Copy*>>;

CopiesBySpace BySpace(const History& history) {
  CopiesBySpace out;
  for (const Copy& copy : history.copies) out[copy.space.view()].push_back(&copy);
  return out;
}

// Promise 1, one store in one copy.
void CheckStore(const HistoryIndex& index, const MemoryKey& key, const Memory& memory,
                const Request& store, const Copy& copy, const Held* held, Report& report) {
  static const Revisions kNothing;
  const Revisions& revisions = held == nullptr ? kNothing : held->revisions;
  if (IsExplained(index, {key, memory, revisions}, store)) return;
  report.Add(
      Promise::kNothingLost, {store.ack->line, held == nullptr ? copy.line : held->line},
      fmt::format("the acknowledged {} of {}/{} is not in the copy of {}, which holds {}; "
                  "nothing that is there, and no delete, can have come after it",
                  store.value(), key.first, key.second, copy.node.view(), Describe(revisions)));
}

// Promise 3.
std::string Canonical(const Held* held) {
  if (held == nullptr || held->revisions.empty()) return "nothing";
  std::set<std::string_view> siblings;
  for (size_t i = 1; i < held->revisions.size(); ++i) siblings.insert(held->revisions[i].value);
  std::string out = held->revisions.front().value;
  for (const std::string_view sibling : siblings) out += fmt::format(" beside {}", sibling);
  return out;
}

void CompareMemory(const MemoryKey& key, const HeldByMemory& all,
                   const std::vector<const Copy*>& copies, Report& report) {
  const Held* first = HeldBy(all, key, copies.front()->node);
  const std::string expected = Canonical(first);
  for (const Copy* copy : copies) {
    const Held* held = HeldBy(all, key, copy->node);
    const std::string found = Canonical(held);
    if (found == expected) continue;
    report.Add(Promise::kCopiesEqual,
               {held == nullptr ? copy->line : held->line,
                first == nullptr ? copies.front()->line : first->line},
               fmt::format("of {}/{}, {} holds {}, but {} holds {}", key.first, key.second,
                           copy->node.view(), found, copies.front()->node.view(), expected));
  }
}

// Promise 7, one memory in one copy.
void CheckDeleted(const HistoryIndex& index, const Memory& memory, const Held& held,
                  const Request& store, Report& report) {
  for (const Request* forget : memory.forgets) {
    if (!Saw(index, *forget, store) || !index.IsOwed(*forget->ack)) continue;
    report.Add(
        Promise::kStaysDeleted, {held.line, forget->ack->line, store.ack->line},
        fmt::format("{} of {}/{} is in the copy of {}, though {} had deleted it, which saw it",
                    store.value(), held.space.view(), held.id.view(), held.node.view(),
                    forget->first().request));
    return;
  }
}

}  // namespace

void CheckNothingLost(const History& history, const HistoryIndex& index, Report& report) {
  const HeldByMemory held = ByMemory(history);
  const CopiesBySpace copies = BySpace(history);
  for (const auto& [key, memory] : index.memories()) {
    const auto of_space = copies.find(key.first);
    if (of_space == copies.end()) continue;
    for (const Request* store : memory.stores) {
      if (store->ack == nullptr || !index.IsOwed(*store->ack)) continue;
      for (const Copy* copy : of_space->second) {
        CheckStore(index, key, memory, *store, *copy, HeldBy(held, key, copy->node), report);
      }
    }
  }
}

void CheckCopiesEqual(const History& history, Report& report) {
  const HeldByMemory held = ByMemory(history);
  const CopiesBySpace copies = BySpace(history);
  absl::flat_hash_set<MemoryKey> compared;
  for (const Held& one : history.held) {
    const auto of_space = copies.find(one.space.view());
    if (of_space == copies.end() || !compared.insert(KeyOf(one)).second) continue;
    CompareMemory(KeyOf(one), held, of_space->second, report);
  }
}

void CheckStaysDeleted(const History& history, const HistoryIndex& index, Report& report) {
  for (const Held& held : history.held) {
    const Memory* memory = index.Find(KeyOf(held));
    if (memory == nullptr) continue;
    for (const Revision& revision : held.revisions) {
      const Request* writer = index.WriterOf(KeyOf(held), revision.value);
      const bool judged = writer != nullptr && writer->ack != nullptr;
      if (judged) CheckDeleted(index, *memory, held, *writer, report);
    }
  }
}

}  // namespace engram::testing
