// Leaves a node alone that keeps failing, and finds out when it is well again (SPEC R9).
//
//            failures_max failures in a row            length of the opening is over
//   CLOSED ─────────────────────────────────▶ OPEN ─────────────────────────────────▶ HALF-OPEN
//     ▲                                        ▲                                      one probe
//     │                                        └──────────── the probe failed ────────────┤
//     └───────────────────────────────────────────────────── the probe succeeded ─────────┘
//
// Whoever wants to call the node asks for a ticket, and gives the ticket back with what the call
// said about the node. Each state change, and each probe, begins a new generation; a result whose
// ticket is of an older one is ignored, because the call began under other circumstances.
//
// How long an opening lasts, where k counts the openings since the breaker was last closed:
//   k = 0:  open_for, exactly
//   k > 0:  min(open_for * 2^k, open_max) * (0.75 + random(0, 0.25))
// The jitter keeps entry nodes that opened together from probing a node together for ever.
// With the defaults: 30 s, 45-60 s, 90-120 s, 180-240 s, then 225-300 s.
//
// A probe that has not reported after `open_for` (its caller died) counts as lost: the next caller
// gets another one, and the result of the lost one, should it still come, is ignored.
//
// What counts as a failure is for the caller to judge: transport failures, time-outs and overload.
// A call that says nothing about the node (bad request, cancelled) is OnNoVerdict, whose only
// effect is to give a probe back.
//
// Thread-safety: everything from any thread. Admitting through a closed breaker is one atomic
// load, refusing two; a success after a success is one load. Only what changes something takes the
// mutex, for a few instructions.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <random>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/base/time.h"

namespace engram::routing {

struct BreakerOptions {
  int failures_max = 5;  // in a row; 1 to 2^24 - 1
  Duration open_for = std::chrono::seconds(30);
  Duration open_max = std::chrono::seconds(300);
  Duration forced_probe_gap = std::chrono::seconds(1);  // see AdmitLast
};

class CircuitBreaker {
 public:
  enum class State : uint8_t { kClosed, kOpen, kHalfOpen };

  // The right to make one call, to be given back to exactly one of the On... functions.
  struct Ticket {
    uint32_t generation = 0;
    bool probe = false;
  };

  explicit CircuitBreaker(const BreakerOptions& options);
  CircuitBreaker(const CircuitBreaker&) = delete;
  CircuitBreaker& operator=(const CircuitBreaker&) = delete;

  // Nullopt: leave the node alone. Of all who ask a half-open breaker, exactly one gets the probe.
  std::optional<Ticket> Admit(TimePoint now) {
    const uint64_t word = word_.load(std::memory_order_acquire);
    if (PhaseOf(word) == Phase::kClosed) return Ticket{GenerationOf(word), false};
    if (now < due_at_.load(std::memory_order_relaxed)) return std::nullopt;
    return AdmitProbe(now);
  }

  // Whether Admit would give a ticket, without taking it: for ordering candidates.
  bool WouldAdmit(TimePoint now) const {
    return PhaseOf(word_.load(std::memory_order_acquire)) == Phase::kClosed ||
           now >= due_at_.load(std::memory_order_relaxed);
  }

  // Something failed since the last success.
  bool InDoubt() const {
    const uint64_t word = word_.load(std::memory_order_acquire);
    return PhaseOf(word) != Phase::kClosed || FailuresOf(word) > 0;
  }

  // As Admit; but an open breaker also gives a probe before its time, if none is in flight, at most
  // one per `forced_probe_gap`, counted from the start of the last probe, or from the opening. For
  // the last candidate that membership holds Alive, so that a space is never shut out altogether.
  // Such a probe that fails leaves the opening as it was: asking often must not make it longer.
  std::optional<Ticket> AdmitLast(TimePoint now);

  void OnSuccess(Ticket ticket, TimePoint now);
  void OnFailure(Ticket ticket, TimePoint now, std::mt19937_64& random);
  void OnNoVerdict(Ticket ticket);

  // The node was restarted: what its former process did no longer counts, calls in flight to it
  // neither. Makes an open breaker half-open; the growth of its openings stays.
  void OnNewIncarnation(TimePoint now);

  // Half-open from the moment at which a probe is due until it has ended.
  State state(TimePoint now) const;
  // From when on Admit gives a probe, should nothing else happen; in the past when closed. While a
  // probe is in flight: when it counts as lost.
  TimePoint retry_at() const;
  uint64_t openings() const { return openings_.load(std::memory_order_relaxed); }
  uint64_t probes() const { return probes_.load(std::memory_order_relaxed); }

 private:
  enum class Phase : uint8_t { kClosed, kWaiting, kProbing };

  // What every caller reads, in one word: generation, phase, failures in a row.
  static constexpr uint64_t Word(uint32_t generation, Phase phase, uint32_t failures) {
    return uint64_t{generation} << 32 | uint64_t{static_cast<uint8_t>(phase)} << 24 | failures;
  }
  static constexpr uint32_t GenerationOf(uint64_t word) {
    return static_cast<uint32_t>(word >> 32);
  }
  static constexpr Phase PhaseOf(uint64_t word) { return static_cast<Phase>(word >> 24 & 0xFF); }
  static constexpr uint32_t FailuresOf(uint64_t word) { return word & 0xFF'FFFF; }

  std::optional<Ticket> AdmitProbe(TimePoint now);
  Ticket StartProbe(TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Open(TimePoint now, std::mt19937_64& random) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitUntil(TimePoint due, TimePoint forced) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Begins a new generation.
  void Enter(Phase phase) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Duration LengthOfOpening(std::mt19937_64& random) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t word() const { return word_.load(std::memory_order_acquire); }
  bool IsCurrent(Ticket ticket) const { return GenerationOf(word()) == ticket.generation; }

  const BreakerOptions options_;

  // Read by all, written under the mutex only; the times before the word that makes them count.
  std::atomic<uint64_t> word_{Word(1, Phase::kClosed, 0)};
  std::atomic<TimePoint> due_at_{TimePoint::min()};     // of the next probe
  std::atomic<TimePoint> forced_at_{TimePoint::min()};  // of the next probe by AdmitLast
  std::atomic<uint64_t> openings_{0};
  std::atomic<uint64_t> probes_{0};

  Mutex mutex_;
  int openings_in_a_row_ ABSL_GUARDED_BY(mutex_) = 0;
  TimePoint open_until_ ABSL_GUARDED_BY(mutex_){};
  TimePoint probed_at_ ABSL_GUARDED_BY(mutex_){};
  bool forced_ ABSL_GUARDED_BY(mutex_) = false;  // the probe in flight came before its time
};

}  // namespace engram::routing
