#include "engram/routing/backoff.h"

#include <algorithm>

namespace engram::routing {

Duration BackoffDelay(const BackoffOptions& options, int failures, std::mt19937_64& random) {
  // 2^20 * base is beyond any sensible max; the bound keeps the shift defined.
  Duration::rep factor = Duration::rep{1} << std::min(failures, 20);
  Duration full = options.base > options.max / factor ? options.max : options.base * factor;
  std::uniform_real_distribution<double> jitter(0.5, 1.0);
  return std::chrono::duration_cast<Duration>(full * jitter(random));
}

}  // namespace engram::routing
