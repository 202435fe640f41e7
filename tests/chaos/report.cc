#include "chaos/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

namespace engram::testing {
namespace {

constexpr Duration kEqualWithin = std::chrono::seconds(30);  // of the last fault

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// An acknowledged write without the flag.
struct Taken {
  TimePoint at;
  const Operation* op;
};

using TakenBySpace = std::map<SpaceId, std::vector<Taken>>;

TakenBySpace TakenIn(const History& history) {
  TakenBySpace out;
  for (const Operation& op : history.operations) {
    const bool counts = op.kind != OperationKind::kGet && op.outcome == Outcome::kOk && !op.flagged;
    if (counts && op.end) out[op.space].push_back({*op.end, &op});
  }
  for (auto& [space, taken] : out) {
    std::sort(taken.begin(), taken.end(),
              [](const Taken& a, const Taken& b) { return a.at < b.at; });
  }
  return out;
}

// The longest time between successive ones that touches the fault, and who was primary before it.
// The time after the last one is not counted: nobody knows how long it would have been.
struct Gap {
  Duration length{};
  NodeId primary;
};

std::optional<Gap> GapIn(const std::vector<Taken>& taken, const Injected& fault) {
  const auto before = [](const Taken& one, TimePoint time) { return one.at < time; };
  auto at = std::lower_bound(taken.begin(), taken.end(), fault.begin, before);
  if (at == taken.begin() || at == taken.end()) return std::nullopt;
  Gap gap{{}, std::prev(at)->op->served_by};
  for (; at != taken.end() && std::prev(at)->at < fault.end; ++at) {
    gap.length = std::max(gap.length, at->at - std::prev(at)->at);
  }
  return gap;
}

bool IsVictim(const Injected& fault, const NodeId& node) {
  return std::find(fault.victims.begin(), fault.victims.end(), node) != fault.victims.end();
}

std::string Percentiles(const std::map<FaultKind, std::vector<Duration>>& gaps, FaultKind kind) {
  const auto found = gaps.find(kind);
  if (found == gaps.end()) return "- | - | -";
  const std::vector<Duration>& sorted = found->second;
  return fmt::format("{} | {:.2f} s | {:.2f} s", sorted.size(), Seconds(Percentile(sorted, 0.5)),
                     Seconds(Percentile(sorted, 0.99)));
}

std::string FaultTable(const RunRecord& run, const Gaps& gaps) {
  std::string out =
      "| fault | times | spaces of victims | gap p50 | p99 | other spaces | gap p50 | p99 |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const FaultKind kind : kFaultKinds) {
    const auto times = std::count_if(run.faults.begin(), run.faults.end(),
                                     [&](const Injected& one) { return one.kind == kind; });
    out += fmt::format("| {} | {} | {} | {} |\n", NameOf(kind), times,
                       Percentiles(gaps.of_victims, kind), Percentiles(gaps.of_others, kind));
  }
  return out;
}

std::string OperationTable(const History& history) {
  constexpr std::array<std::string_view, 3> kKinds = {"store", "forget", "get"};
  std::array<std::array<size_t, 4>, 3> counts{};  // ok, failed, unknown, flagged
  for (const Operation& op : history.operations) {
    auto& row = counts.at(static_cast<size_t>(op.kind));
    ++row.at(static_cast<size_t>(op.outcome));
    if (op.outcome == Outcome::kOk && op.flagged) ++row[3];
  }
  std::string out =
      "| operation | ok | of these flagged | failed | unknown |\n| --- | --- | --- | --- | --- |\n";
  for (size_t i = 0; i < kKinds.size(); ++i) {
    const auto& [ok, failed, unknown, flagged] = counts.at(i);
    out += fmt::format("| {} | {} | {} | {} | {} |\n", kKinds.at(i), ok, flagged, failed, unknown);
  }
  return out;
}

std::string VerdictTable(const Verdict& verdict) {
  constexpr Promise kJudged[] = {
      Promise::kRecord,    Promise::kNothingLost, Promise::kOnePrimary,   Promise::kCopiesEqual,
      Promise::kOneEffect, Promise::kInTime,      Promise::kStaysDeleted, Promise::kNeverWrong};
  std::string out = "| promise | | violations |\n| --- | --- | --- |\n";
  for (const Promise promise : kJudged) {
    out += fmt::format("| {} | {} | {} |\n", static_cast<int>(promise), NameOf(promise),
                       verdict.CountOf(promise));
  }
  return out;
}

}  // namespace

Gaps GapsOf(const History& history, const std::vector<Injected>& faults) {
  const TakenBySpace by_space = TakenIn(history);
  Gaps gaps;
  for (const Injected& fault : faults) {
    for (const auto& [space, taken] : by_space) {
      const std::optional<Gap> gap = GapIn(taken, fault);
      if (!gap) continue;
      auto& side = IsVictim(fault, gap->primary) ? gaps.of_victims : gaps.of_others;
      side[fault.kind].push_back(gap->length);
    }
  }
  for (auto* side : {&gaps.of_victims, &gaps.of_others}) {
    for (auto& [kind, lengths] : *side) std::sort(lengths.begin(), lengths.end());
  }
  return gaps;
}

uint64_t EpochsRaised(const History& history) {
  std::map<SpaceId, std::pair<uint64_t, uint64_t>> counters;  // lowest, highest
  for (const Operation& op : history.operations) {
    const uint64_t counter = op.version.epoch.counter;
    if (counter == 0) continue;
    auto& [lowest, highest] = counters.try_emplace(op.space, counter, counter).first->second;
    lowest = std::min(lowest, counter);
    highest = std::max(highest, counter);
  }
  uint64_t raised = 0;
  for (const auto& [space, range] : counters) raised += range.second - range.first;
  return raised;
}

Duration Percentile(const std::vector<Duration>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted.at(std::max<size_t>(rank, 1) - 1);
}

bool HasPassed(const RunRecord& run, const Verdict& verdict) {
  return verdict.ok() && run.equal_after && *run.equal_after <= kEqualWithin && run.mishaps.empty();
}

std::string ReportOf(const RunRecord& run, const History& history, const Verdict& verdict) {
  std::string out = fmt::format("# Chaos: {}\n\n    {}\n\n",
                                HasPassed(run, verdict) ? "passed" : "FAILED", run.command);
  out += fmt::format("{:.0f} s of load, {} operations, epochs raised {} times. Copies: {}, {}.\n\n",
                     Seconds(run.healed - run.begin), history.operations.size(),
                     EpochsRaised(history), history.copies.size(),
                     run.equal_after
                         ? fmt::format("equal {:.1f} s after the heal", Seconds(*run.equal_after))
                         : "NEVER equal after the heal");
  for (const std::string& mishap : run.mishaps) out += fmt::format("- MISHAP: {}\n", mishap);
  out += "\n" + FaultTable(run, GapsOf(history, run.faults)) +
         "\nA gap is the longest time in which a space took no write without the flag, around one "
         "fault.\n\n";
  out += OperationTable(history) + "\n" + VerdictTable(verdict);
  if (!verdict.ok()) out += "\n```\n" + verdict.ToString() + "```\n";
  return out;
}

}  // namespace engram::testing
