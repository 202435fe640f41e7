// Keeps repeat tries from drowning a node that is in trouble: repeat tries at one node and hedges
// together are at most a share of the requests that chose it, plus a small floor (SPEC R7).
//
// After Finagle's RetryBudget: a bucket of tokens; each request deposits a part of one, each repeat
// try takes a whole one. Deposits expire (they decay with time constant 1 s), so that a long good
// time does not pay for a storm. Two buckets stand side by side and a try that either of them can
// pay is allowed, and taken from *both*; so the floor is not added to the share, the larger of the
// two counts:
//   share:  0.9 * ratio per request, at most `burst`
//   floor:  floor_per_second, at most 3 tokens; it starts full
// The tenth of the ratio that is never handed out pays for what was in the buckets when an outage
// began. At a steady r requests/s before and during an outage of T seconds,
//   repeat tries <= max(0.9 * ratio * r * T + min(0.9 * ratio * r * 1 s, burst), floor * T) + 3
// so that, with the defaults, amplification is <= 1.1 from 9 + 300 / r seconds on, if r >= 10/s: at
// 100 requests/s after 12 s. Below 10/s the floor lets it rise to 1 + 1/r, which is what a cluster
// with next to no load can bear.
//
// Thread-safety: everything from any thread, lock-free. OnRequest is a single load while the share
// is full, else one compare-and-swap.
#pragma once

#include <atomic>
#include <cstdint>

#include "engram/base/time.h"

namespace engram::routing {

struct RetryBudgetOptions {
  double ratio = 0.1;             // repeat tries / requests; 0 to 1
  double floor_per_second = 1.0;  // 0, or 0.1 to 3
  double burst = 100;  // repeat tries at once, however many requests went before; <= 1000
};

class RetryBudget {
 public:
  explicit RetryBudget(const RetryBudgetOptions& options);
  RetryBudget(const RetryBudget&) = delete;
  RetryBudget& operator=(const RetryBudget&) = delete;

  // A request has chosen this node first.
  void OnRequest(TimePoint now);
  // Whether a repeat try at this node, or a hedge to it, may be sent; if so, it is paid.
  bool TryWithdraw(TimePoint now);
  // How many TryWithdraw would allow now.
  double balance(TimePoint now) const;

 private:
  // Both buckets and when they were last brought up to date, in one word; tokens in thousandths.
  struct Buckets {
    uint32_t tick;
    uint32_t share;  // 20 bits
    uint32_t floor;  // 12 bits
  };
  static uint64_t Pack(Buckets b) { return uint64_t{b.tick} << 32 | b.share << 12 | b.floor; }
  static Buckets Unpack(uint64_t word);
  // What expired and accrued until `now`.
  Buckets At(uint64_t word, TimePoint now) const;

  const uint32_t deposit_;
  const uint32_t share_max_;
  const double floor_per_tick_;
  std::atomic<uint64_t> word_;
};

}  // namespace engram::routing
