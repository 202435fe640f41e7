#include "support/checker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "support/checker_index.h"

namespace engram::testing {

std::string_view NameOf(Promise promise) {
  switch (promise) {
    case Promise::kRecord:
      return "the record itself";
    case Promise::kNothingLost:
      return "no acknowledged write is lost";
    case Promise::kOnePrimary:
      return "one primary accepts writes in an epoch";
    case Promise::kCopiesEqual:
      return "all copies become equal";
    case Promise::kFewHops:
      return "every request succeeds within 3 hops";
    case Promise::kOneEffect:
      return "one effect for each request id";
    case Promise::kInTime:
      return "no reply after its deadline";
    case Promise::kStaysDeleted:
      return "deleted stays deleted";
    case Promise::kNeverWrong:
      return "an unflagged answer is never wrong";
  }
  return "unknown";
}

size_t Verdict::total() const { return std::accumulate(counts.begin(), counts.end(), size_t{0}); }

std::string Verdict::ToString() const {
  std::string out;
  for (const Violation& one : violations) {
    fmt::format_to(std::back_inserter(out), "promise {} ({}), lines {}: {}\n",
                   static_cast<int>(one.promise), NameOf(one.promise), fmt::join(one.lines, ", "),
                   one.why);
  }
  fmt::format_to(std::back_inserter(out), "{} violations, {} of them listed\n", total(),
                 violations.size());
  return out;
}

Verdict Judge(const History& history, const CheckerOptions& options) {
  const HistoryIndex index(history, options);
  Report report(options.listed_max);
  CheckRecord(history, index, report);
  CheckNothingLost(history, index, report);
  CheckOnePrimary(history, index, report);
  CheckCopiesEqual(history, report);
  CheckHops(history, options, report);
  CheckOneEffect(history, index, report);
  CheckInTime(history, options, report);
  CheckStaysDeleted(history, index, report);
  CheckReads(history, index, report);
  return report.Take();
}

}  // namespace engram::testing
