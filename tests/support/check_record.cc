// Whether the history keeps the rules of history.h; otherwise the rest of the verdict means
// nothing.
#include <fmt/format.h>

#include <algorithm>

#include "support/checker_index.h"

namespace engram::testing {
namespace {

void CheckOperation(const Operation& op, Report& report) {
  const bool is_store = op.kind == OperationKind::kStore;
  if (is_store && op.revisions.size() != 1) {
    report.Add(Promise::kRecord, {op.line}, "a store has exactly one value");
  }
  if (op.kind != OperationKind::kGet && op.request.empty()) {
    report.Add(Promise::kRecord, {op.line}, "a write has a request id");
  }
  if (op.outcome == Outcome::kOk && (!op.end || op.id.empty())) {
    report.Add(Promise::kRecord, {op.line}, "an answered operation has an end and an id");
  }
  if (op.end && *op.end < op.begin) {
    report.Add(Promise::kRecord, {op.line}, "an operation ends before it begins");
  }
}

void CheckRequest(const Request& request, Report& report) {
  const Operation& first = request.first();
  for (const Operation* op : request.operations) {
    const bool same = op->kind == first.kind && op->space == first.space &&
                      (first.kind == OperationKind::kForget ||
                       op->revisions.front().value == first.revisions.front().value);
    if (same) continue;
    report.Add(Promise::kRecord, {op->line, first.line},
               fmt::format("request {} asks for two different things", first.request));
  }
}

void CheckValue(const HistoryIndex& index, const Request& request, Report& report) {
  const Operation& op = request.ack != nullptr ? *request.ack : request.first();
  const MemoryKey key(op.space.view(), op.id.view());
  const Request* writer = index.WriterOf(key, request.value());
  if (writer == &request) return;
  report.Add(Promise::kRecord, {op.line},
             fmt::format("value {} is written by two requests", request.value()));
}

void CheckHeld(const History& history, Report& report) {
  absl::flat_hash_set<MemoryKey> copies;
  for (const Copy& copy : history.copies) {
    if (copies.emplace(copy.space.view(), copy.node.view()).second) continue;
    report.Add(Promise::kRecord, {copy.line}, "a copy is declared twice");
  }
  for (const Held& held : history.held) {
    if (copies.contains(MemoryKey(held.space.view(), held.node.view()))) continue;
    report.Add(Promise::kRecord, {held.line}, "a memory is held in a copy that is not declared");
  }
}

}  // namespace

void CheckRecord(const History& history, const HistoryIndex& index, Report& report) {
  for (const Operation& op : history.operations) CheckOperation(op, report);
  for (const Request& request : index.requests()) {
    CheckRequest(request, report);
    if (request.is_store()) CheckValue(index, request, report);
  }
  CheckHeld(history, report);
}

}  // namespace engram::testing
