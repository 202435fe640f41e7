#include "simulation/scheduler.h"

#include <xxhash.h>

#include "absl/base/macros.h"

namespace engram::simulation {

void Scheduler::At(TimePoint time, std::function<void()> event) {
  ABSL_HARDENING_ASSERT(time >= now_);
  queue_.emplace(std::pair(time, asked_++), std::move(event));
}

void Scheduler::Run(TimePoint end) {
  while (!queue_.empty() && queue_.begin()->first.first <= end) {
    auto next = queue_.extract(queue_.begin());
    now_ = next.key().first;
    ++events_;
    next.mapped()();
  }
  if (end != kNever) now_ = std::max(now_, end);
}

void Scheduler::Trace(std::string_view what) {
  const auto at = static_cast<uint64_t>(now_.time_since_epoch().count());
  trace_ = XXH3_64bits_withSeed(what.data(), what.size(), trace_ ^ at);
}

}  // namespace engram::simulation
