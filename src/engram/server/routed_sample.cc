#include "engram/server/routed_sample.h"

#include <algorithm>

namespace engram::server {
namespace {

using routing::AttemptRecord;
using Attempts = std::span<const AttemptRecord>;

// The last of these attempts at the node; null if there was none.
const AttemptRecord* EarlierAt(Attempts before, const NodeId& node) {
  const auto it = std::find_if(before.rbegin(), before.rend(),
                               [&](const AttemptRecord& a) { return a.node == node; });
  return it == before.rend() ? nullptr : &*it;
}

}  // namespace

void CountAttempts(Attempts attempts, RetryReasons& reasons, RoutedSample& sample) {
  if (attempts.empty()) return;
  sample.hops = 1;
  for (size_t i = 0; i < attempts.size(); ++i) {
    if (attempts[i].outcome == "redirect") ++sample.redirects;
    if (i == 0) continue;
    if (attempts[i - 1].outcome == "redirect") {
      ++sample.hops;
    } else if (const AttemptRecord* earlier = EarlierAt(attempts.first(i), attempts[i].node)) {
      reasons.push_back(CodeOf(earlier->error));
    } else {
      ++sample.fallbacks;
    }
  }
  sample.stale = sample.stale || sample.redirects > 0;
  sample.retries = reasons;
}

}  // namespace engram::server
