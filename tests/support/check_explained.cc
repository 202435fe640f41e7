// Why something that was written is not shown any more (promises 1 and 10).
#include <algorithm>

#include "support/checker_index.h"

namespace engram::testing {
namespace {

// Of `memory`, the latest moment at which it may have been deleted by who began before `by`;
// TimePoint::min() if by nobody.
TimePoint LatestForget(const Memory& memory, TimePoint by) {
  const auto end =
      std::upper_bound(memory.forgets.begin(), memory.forgets.end(), by,
                       [](TimePoint time, const Request* forget) { return time < forget->begin; });
  if (end == memory.forgets.begin()) return TimePoint::min();
  return memory.latest_forget[static_cast<size_t>(end - memory.forgets.begin()) - 1];
}

// `later` may have replaced what `earlier` wrote.
bool MayReplace(const Request& later, const Request& earlier) {
  if (later.latest < earlier.begin) return false;
  const bool ordered = later.has_one_place() && earlier.has_one_place() &&
                       SameLog(later.ack->version, earlier.ack->version);
  return !ordered || later.ack->version.sequence > earlier.ack->version.sequence;
}

bool IsPlainlyExplained(const HistoryIndex& index, const Shown& shown, const Request& store) {
  if (LatestForget(shown.memory, shown.by) >= store.begin) return true;
  return std::any_of(shown.revisions.begin(), shown.revisions.end(), [&](const Revision& revision) {
    const Request* writer = index.WriterOf(shown.key, revision.value);
    return writer == &store || (writer != nullptr && MayReplace(*writer, store));
  });
}

// Whoever has `later` has `earlier`, too, and knows a second try of it.
bool ComesWith(const HistoryIndex& index, const Request& later, const Request& earlier) {
  if (!later.has_one_place() || earlier.ack == nullptr) return false;
  const Operation& one = *earlier.ack;
  const Operation& other = *later.ack;
  if (SameLog(one.version, other.version)) return one.version.sequence < other.version.sequence;
  if (earlier.latest >= later.begin) return false;
  if (one.ack != AckLevel::kPrimary && !one.flagged && !other.flagged) return true;
  return !one.served_by.empty() && one.served_by == other.served_by &&
         !index.DiskLost(one.served_by);
}

// A duplicate of `doubtful` may have replaced what `store` wrote, whenever the effect was.
bool MayReplaceAsDuplicate(const HistoryIndex& index, const Request& doubtful,
                           const Request& store) {
  return &doubtful != &store && doubtful.latest_duplicate >= store.begin &&
         !ComesWith(index, store, doubtful);
}

}  // namespace

bool IsExplained(const HistoryIndex& index, const Shown& shown, const Request& store) {
  if (IsPlainlyExplained(index, shown, store)) return true;
  // What a duplicate has replaced is explained by what explains that its request is not shown.
  std::vector<const Request*> open = {&store};
  std::vector<const Request*> left = shown.memory.doubtful;
  while (!open.empty()) {
    const Request& replaced = *open.back();
    open.pop_back();
    const auto by = std::partition(left.begin(), left.end(), [&](const Request* doubtful) {
      return doubtful->begin > shown.by || !MayReplaceAsDuplicate(index, *doubtful, replaced);
    });
    for (auto at = by; at != left.end(); ++at) {
      if (!(*at)->is_store() || IsPlainlyExplained(index, shown, **at)) return true;
      open.push_back(*at);
    }
    left.erase(by, left.end());
  }
  return false;
}

}  // namespace engram::testing
