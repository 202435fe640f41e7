#include "engram/routing/circuit_breaker.h"

#include <algorithm>

#include "absl/base/macros.h"
#include "engram/base/planted.h"

namespace engram::routing {

CircuitBreaker::CircuitBreaker(const BreakerOptions& options) : options_(options) {
  ABSL_HARDENING_ASSERT(options.failures_max >= 1 && options.failures_max <= 0xFF'FFFF);
  ABSL_HARDENING_ASSERT(options.open_for > Duration{} && options.open_max >= options.open_for);
}

std::optional<CircuitBreaker::Ticket> CircuitBreaker::AdmitProbe(TimePoint now) {
  WriterLock lock(&mutex_);
  // Somebody else may have taken the probe, or even closed the breaker, meanwhile.
  if (PhaseOf(word()) == Phase::kClosed) return Ticket{GenerationOf(word()), false};
  if (now < due_at_.load(std::memory_order_relaxed)) return std::nullopt;
  forced_ = false;
  return StartProbe(now);
}

std::optional<CircuitBreaker::Ticket> CircuitBreaker::AdmitLast(TimePoint now) {
  if (std::optional<Ticket> ticket = Admit(now); ticket.has_value()) return ticket;
  if (now < forced_at_.load(std::memory_order_relaxed)) return std::nullopt;
  WriterLock lock(&mutex_);
  if (PhaseOf(word()) == Phase::kClosed) return Ticket{GenerationOf(word()), false};
  if (PhaseOf(word()) == Phase::kProbing) return std::nullopt;
  if (now < forced_at_.load(std::memory_order_relaxed)) return std::nullopt;
  forced_ = now < open_until_;
  return StartProbe(now);
}

void CircuitBreaker::OnSuccess(Ticket ticket, TimePoint /*now*/) {
  const uint64_t seen = word();
  if (GenerationOf(seen) != ticket.generation) return;
  if (PhaseOf(seen) == Phase::kClosed && FailuresOf(seen) == 0) return;
  WriterLock lock(&mutex_);
  if (!IsCurrent(ticket)) return;
  if (PhaseOf(word()) == Phase::kProbing) {
    openings_in_a_row_ = 0;
    return Enter(Phase::kClosed);
  }
  word_.store(Word(ticket.generation, Phase::kClosed, 0), std::memory_order_release);
}

void CircuitBreaker::OnFailure(Ticket ticket, TimePoint now, std::mt19937_64& random) {
  if (!IsCurrent(ticket)) return;
  WriterLock lock(&mutex_);
  if (!IsCurrent(ticket)) return;
  if (PhaseOf(word()) == Phase::kProbing) {
    if (!forced_) return Open(now, random);
    return WaitUntil(open_until_, probed_at_ + options_.forced_probe_gap);
  }
  const uint32_t failures = FailuresOf(word()) + 1;
  if (failures >= static_cast<uint32_t>(options_.failures_max)) return Open(now, random);
  word_.store(Word(ticket.generation, Phase::kClosed, failures), std::memory_order_release);
}

void CircuitBreaker::OnNoVerdict(Ticket ticket) {
  if (!ticket.probe) return;
  WriterLock lock(&mutex_);
  if (!IsCurrent(ticket)) return;
  WaitUntil(open_until_, probed_at_ + options_.forced_probe_gap);
}

void CircuitBreaker::OnNewIncarnation(TimePoint now) {
  WriterLock lock(&mutex_);
  if (PhaseOf(word()) == Phase::kClosed) return Enter(Phase::kClosed);
  open_until_ = now;
  WaitUntil(now, now);
}

CircuitBreaker::State CircuitBreaker::state(TimePoint now) const {
  switch (PhaseOf(word())) {
    case Phase::kClosed:
      return State::kClosed;
    case Phase::kProbing:
      return State::kHalfOpen;
    case Phase::kWaiting:
      break;
  }
  return now < due_at_.load(std::memory_order_relaxed) ? State::kOpen : State::kHalfOpen;
}

TimePoint CircuitBreaker::retry_at() const {
  if (PhaseOf(word()) == Phase::kClosed) return TimePoint::min();
  return due_at_.load(std::memory_order_relaxed);
}

CircuitBreaker::Ticket CircuitBreaker::StartProbe(TimePoint now) {
  if (IsPlanted(Bug::kHalfOpenLetsAllThrough)) return {GenerationOf(word()), false};
  probed_at_ = now;
  const TimePoint lost_at = now + options_.open_for;
  due_at_.store(lost_at, std::memory_order_relaxed);
  forced_at_.store(lost_at, std::memory_order_relaxed);
  Enter(Phase::kProbing);
  probes_.fetch_add(1, std::memory_order_relaxed);
  return {GenerationOf(word()), true};
}

void CircuitBreaker::Open(TimePoint now, std::mt19937_64& random) {
  const bool from_closed = PhaseOf(word()) == Phase::kClosed;
  open_until_ = now + LengthOfOpening(random);
  ++openings_in_a_row_;
  openings_.fetch_add(1, std::memory_order_relaxed);
  WaitUntil(open_until_, (from_closed ? now : probed_at_) + options_.forced_probe_gap);
}

void CircuitBreaker::WaitUntil(TimePoint due, TimePoint forced) {
  due_at_.store(due, std::memory_order_relaxed);
  forced_at_.store(forced, std::memory_order_relaxed);
  Enter(Phase::kWaiting);
}

void CircuitBreaker::Enter(Phase phase) {
  word_.store(Word(GenerationOf(word()) + 1, phase, 0), std::memory_order_release);
}

Duration CircuitBreaker::LengthOfOpening(std::mt19937_64& random) const {
  if (openings_in_a_row_ == 0) return options_.open_for;
  // 2^20 * open_for is beyond any sensible maximum; the bound keeps the shift defined.
  const Duration::rep factor = Duration::rep{1} << std::min(openings_in_a_row_, 20);
  const Duration full = options_.open_for > options_.open_max / factor ? options_.open_max
                                                                       : options_.open_for * factor;
  std::uniform_real_distribution<double> jitter(0.75, 1.0);
  return std::chrono::duration_cast<Duration>(full * jitter(random));
}

}  // namespace engram::routing
