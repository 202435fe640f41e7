// What is judged by places in logs: promises 2 and 5.
#include <fmt/format.h>

#include "support/checker_index.h"

namespace engram::testing {
namespace {

std::string Describe(const Version& version) {
  return fmt::format("{} of epoch ({}, {})", version.sequence, version.epoch.counter,
                     version.epoch.primary.view());
}

// Somewhere where the effect of a request was seen, with its place in a log.
struct Sighting {
  const Request* request;
  const Version* version;
  size_t line;
};

// Of revisions that a get showed or a copy holds.
void AddRevisions(const HistoryIndex& index, const MemoryKey& key,
                  const std::vector<Revision>& revisions, size_t line, std::vector<Sighting>& out) {
  for (const Revision& revision : revisions) {
    const Request* writer = index.WriterOf(key, revision.value);
    if (writer == nullptr || !IsKnown(revision.version)) continue;
    out.push_back({writer, &revision.version, line});
  }
}

std::vector<Sighting> AllSightings(const History& history, const HistoryIndex& index) {
  std::vector<Sighting> out;
  for (const Request& request : index.requests()) {
    for (const Operation* op : request.operations) {
      const bool placed = op->outcome == Outcome::kOk && IsKnown(op->version);
      if (placed) out.push_back({&request, &op->version, op->line});
    }
  }
  for (const Operation& op : history.operations) {
    if (op.kind != OperationKind::kGet) continue;
    AddRevisions(index, {op.space.view(), op.id.view()}, op.revisions, op.line, out);
  }
  for (const Held& held : history.held) {
    AddRevisions(index, {held.space.view(), held.id.view()}, held.revisions, held.line, out);
  }
  return out;
}

struct Place {
  std::string_view space;
  const Version& version;

  friend bool operator==(const Place& a, const Place& b) {
    return a.space == b.space && a.version == b.version;
  }
  template <class H>
  friend H AbslHashValue(H h, const Place& place) {
    const Version& at = place.version;
    return H::combine(std::move(h), place.space, at.epoch.counter, at.epoch.primary, at.sequence);
  }
};

void CheckAcceptedBy(const Operation& op, Report& report) {
  const bool judged = op.kind != OperationKind::kGet && op.outcome == Outcome::kOk &&
                      op.first_effect && IsKnown(op.version) && !op.served_by.empty();
  if (!judged || op.served_by == op.version.epoch.primary) return;
  report.Add(Promise::kOnePrimary, {op.line},
             fmt::format("{} accepted {} at {}, whose only primary is {}", op.served_by.view(),
                         op.request, Describe(op.version), op.version.epoch.primary.view()));
}

// The id of a request is that of its first answer.
void CheckOneId(const Request& request, Report& report) {
  if (request.ack == nullptr) return;
  for (const Operation* op : request.operations) {
    if (op->outcome != Outcome::kOk || op->id == request.ack->id) continue;
    report.Add(Promise::kOneEffect, {op->line, request.ack->line},
               fmt::format("request {} made two memories, {} and {}", op->request, op->id.view(),
                           request.ack->id.view()));
  }
}

void CheckOnePlace(const std::vector<Sighting>& sightings, Report& report) {
  absl::flat_hash_map<const Request*, absl::InlinedVector<const Sighting*, 1>> by_request;
  for (const Sighting& one : sightings) {
    auto& known = by_request[one.request];
    bool is_new = true;
    for (const Sighting* other : known) {
      if (!SameLog(*one.version, *other->version)) continue;
      is_new = false;
      if (one.version->sequence == other->version->sequence) continue;
      report.Add(Promise::kOneEffect, {one.line, other->line},
                 fmt::format("request {} took effect twice in one log: at {} and at {}",
                             one.request->first().request, Describe(*one.version),
                             Describe(*other->version)));
    }
    if (is_new) known.push_back(&one);
  }
}

// In one copy, in whichever memories.
void CheckOnceInCopy(const History& history, const HistoryIndex& index, Report& report) {
  absl::flat_hash_map<std::pair<std::string_view, const Request*>, size_t> first_line;
  for (const Held& held : history.held) {
    const MemoryKey key(held.space.view(), held.id.view());
    for (const Revision& revision : held.revisions) {
      const Request* writer = index.WriterOf(key, revision.value);
      if (writer == nullptr) continue;
      const auto [found, is_new] = first_line.try_emplace({held.node.view(), writer}, held.line);
      if (is_new) continue;
      report.Add(Promise::kOneEffect, {held.line, found->second},
                 fmt::format("{} of request {} stands twice in the copy of {}", revision.value,
                             writer->first().request, held.node.view()));
    }
  }
}

}  // namespace

void CheckOnePrimary(const History& history, const HistoryIndex& index, Report& report) {
  for (const Operation& op : history.operations) CheckAcceptedBy(op, report);
  const std::vector<Sighting> sightings = AllSightings(history, index);
  absl::flat_hash_map<Place, const Sighting*> by_place;
  by_place.reserve(sightings.size());
  for (const Sighting& one : sightings) {
    const Place place{one.request->first().space.view(), *one.version};
    const auto [found, is_new] = by_place.try_emplace(place, &one);
    const Sighting& other = *found->second;
    if (is_new || other.request == one.request) continue;
    report.Add(Promise::kOnePrimary, {one.line, other.line},
               fmt::format("requests {} and {} have the same place in the log, {}: two logs",
                           one.request->first().request, other.request->first().request,
                           Describe(*one.version)));
  }
}

void CheckOneEffect(const History& history, const HistoryIndex& index, Report& report) {
  for (const Request& request : index.requests()) CheckOneId(request, report);
  CheckOnePlace(AllSightings(history, index), report);
  CheckOnceInCopy(history, index, report);
}

}  // namespace engram::testing
