// The clock of leases (docs/model, decision 15): unlike the monotonic one it goes on while the
// machine sleeps. Its times must not be mixed with those of another clock. Thread-safe.
#pragma once

#include <ctime>

#include "engram/base/time.h"

namespace engram::cluster {

inline TimePoint BootNow() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return TimePoint(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace engram::cluster
