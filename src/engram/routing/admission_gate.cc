#include "engram/routing/admission_gate.h"

#include <algorithm>
#include <utility>

#include "absl/base/macros.h"

namespace engram::routing {
namespace {

constexpr Duration kWindow = std::chrono::milliseconds(100);
constexpr Duration kRetryAfterMin = std::chrono::milliseconds(10);
constexpr Duration kRetryAfterMax = std::chrono::seconds(1);

}  // namespace

AdmissionGate::AdmissionGate(const AdmissionOptions& options) : options_(options) {
  ABSL_HARDENING_ASSERT(options.running_max >= 1);
}

bool AdmissionGate::Enter() {
  if (running_ >= options_.running_max || !waiting_.empty()) return false;
  ++running_;
  return true;
}

std::optional<Duration> AdmissionGate::Wait(TimePoint now, TimePoint deadline, Waiter waiter) {
  if (!full_since_.has_value()) {
    full_since_ = now;
    ended_ = 0;
  }
  if (full() || IsTooLate(now, deadline)) return RetryAfter();
  waiting_.push_back({deadline, std::move(waiter)});
  return std::nullopt;
}

void AdmissionGate::Leave(TimePoint now) {
  ABSL_HARDENING_ASSERT(running_ > 0);
  --running_;
  Measure(now);
  CallWaiters(now);
  if (running_ < options_.running_max) full_since_.reset();
}

// Whom nobody is before is let in whatever the pace was, or a pace measured in a bad moment would
// keep the queue empty and never be measured again.
bool AdmissionGate::IsTooLate(TimePoint now, TimePoint deadline) const {
  if (now >= deadline) return true;
  if (waiting_.empty()) return false;
  const Duration wait = pace_ * static_cast<Duration::rep>(waiting_.size() + 1);
  const Duration work = pace_ * static_cast<Duration::rep>(options_.running_max);
  return wait > options_.wait_max || wait + work > deadline - now;
}

Duration AdmissionGate::RetryAfter() const {
  const Duration backlog = pace_ * static_cast<Duration::rep>(waiting_.size() + running_);
  return std::clamp(backlog, kRetryAfterMin, kRetryAfterMax);
}

void AdmissionGate::Measure(TimePoint now) {
  if (!full_since_.has_value()) return;
  ++ended_;
  const Duration took = now - *full_since_;
  if (took < kWindow) return;
  const Duration pace = took / ended_;
  pace_ = pace_ == Duration{} ? pace : (pace_ + pace) / 2;
  full_since_ = now;
  ended_ = 0;
}

// A waiter may run to its end and leave at once: that only frees its place, and the loop goes on.
void AdmissionGate::CallWaiters(TimePoint now) {
  if (calling_) return;
  calling_ = true;
  while (running_ < options_.running_max && !waiting_.empty()) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    const Turn turn = now < next.deadline ? Turn::kRun : Turn::kExpired;
    if (turn == Turn::kRun) ++running_;
    next.waiter(turn);
  }
  calling_ = false;
}

}  // namespace engram::routing
