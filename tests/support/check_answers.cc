// What is judged by one answer alone: promises 4 and 6.
#include <fmt/format.h>

#include <algorithm>

#include "support/checker_index.h"

namespace engram::testing {
namespace {

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// An operation without an answer counts once its time is over.
bool IsCalm(const History& history, const Operation& op) {
  const TimePoint over = op.end.value_or(op.deadline.value_or(kNever));
  return std::any_of(history.calm.begin(), history.calm.end(),
                     [&](const Calm& calm) { return calm.begin <= op.begin && over <= calm.end; });
}

}  // namespace

void CheckHops(const History& history, const CheckerOptions& options, Report& report) {
  for (const Operation& op : history.operations) {
    const bool right = op.outcome == Outcome::kOk && op.hops <= options.hops_max;
    if (right || !IsCalm(history, op)) continue;
    report.Add(Promise::kFewHops, {op.line},
               op.outcome == Outcome::kOk
                   ? fmt::format("{} hops, at most {} are allowed", op.hops, options.hops_max)
                   : "failed though all nodes were connected and alive");
  }
}

void CheckInTime(const History& history, const CheckerOptions& options, Report& report) {
  for (const Operation& op : history.operations) {
    if (!op.end || !op.deadline || *op.end <= *op.deadline + options.late) continue;
    report.Add(Promise::kInTime, {op.line},
               fmt::format("answered {:.3f} ms after its deadline, {:.3f} ms are allowed",
                           Milliseconds(*op.end - *op.deadline), Milliseconds(options.late)));
  }
}

}  // namespace engram::testing
