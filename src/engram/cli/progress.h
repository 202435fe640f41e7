// A progress bar on standard error. Single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace engram::cli {

class Progress {
 public:
  // `mode` is "auto" (only on a terminal), "always" or "never"; `total` 0: not known.
  Progress(const std::string& mode, std::string unit, uint64_t total);

  // `position` counts towards total; `count` of units is shown. Draws at most ten times a second.
  void Show(uint64_t position, uint64_t count);
  // The last state, and a new line.
  void End(uint64_t count);

 private:
  void Draw(double fraction, uint64_t count);

  const bool on_;
  const bool terminal_;
  const std::string unit_;
  const uint64_t total_;
  const std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace engram::cli
