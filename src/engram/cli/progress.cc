#include "engram/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace engram::cli {
namespace {

constexpr int kWidth = 30;
constexpr auto kInterval = std::chrono::milliseconds(100);

}  // namespace

Progress::Progress(const std::string& mode, std::string unit, uint64_t total)
    : on_(mode == "always" || (mode == "auto" && isatty(STDERR_FILENO) == 1)),
      terminal_(isatty(STDERR_FILENO) == 1),
      unit_(std::move(unit)),
      total_(total),
      started_(std::chrono::steady_clock::now()) {}

void Progress::Show(uint64_t position, uint64_t count) {
  auto now = std::chrono::steady_clock::now();
  if (!on_ || now - drawn_ < kInterval) return;
  drawn_ = now;
  Draw(total_ == 0 ? 0 : std::min(1.0, static_cast<double>(position) / static_cast<double>(total_)),
       count);
}

void Progress::End(uint64_t count) {
  if (!on_) return;
  Draw(1.0, count);
  if (terminal_) fmt::print(stderr, "\n");
}

// On a terminal each drawing replaces the last; elsewhere (a log) each is a line.
void Progress::Draw(double fraction, uint64_t count) {
  std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started_;
  int filled = static_cast<int>(fraction * kWidth);
  std::string rate = elapsed.count() > 0
                         ? fmt::format("{:.0f}/s", static_cast<double>(count) / elapsed.count())
                         : "";
  std::string bar =
      total_ == 0 ? "" : fmt::format("[{:#>{}}{:.>{}}] ", "", filled, "", kWidth - filled);
  fmt::print(stderr, "{}{}{} {} {}{}", terminal_ ? "\r" : "", bar, count, unit_, rate,
             terminal_ ? "  " : "\n");
  std::fflush(stderr);
}

}  // namespace engram::cli
