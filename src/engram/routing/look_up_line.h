// Who waits for the answer to "who holds this space" (SPEC R4), so that all nodes are asked once,
// not once for each request.
//
// Single-flight: requests that ask for the same space meanwhile share one answer. The answer is
// kept for `kKeep`, so that requests for a space whose holders are gone do not become a storm on
// the nodes that are left.
//
// Pure; not thread-safe: each loop has its own.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/base/string_hash.h"
#include "engram/base/time.h"
#include "engram/routing/call_plan.h"

namespace engram::routing {

class LookUpLine {
 public:
  static constexpr Duration kKeep = LookUp::kKeep;
  // How long the nodes have for their answers; the driver ends the look-up then.
  static constexpr Duration kLimit = std::chrono::milliseconds(500);

  // How long those are waited for of whom it is doubtful that they answer, when all others have and
  // one of them holds the space: a primary that hangs must not hide the next one.
  static constexpr Duration kLimitInDoubt = std::chrono::milliseconds(50);

  using Done = absl::AnyInvocable<void(const LookUp&)>;

  // `nodes` must outlive the line.
  explicit LookUpLine(const NodeTable& nodes) : nodes_(nodes) {}

  struct Wanted {
    RouteVersion known;        // an older answer helps nobody
    Duration age_max = kKeep;  // nor one that was given longer ago
  };

  // True: the caller has to ask all nodes and then call End(). Else somebody has, and `done` is
  // called when they have answered, or at once with what they said a moment ago, if that helps.
  [[nodiscard]] bool Join(std::string_view space, const Wanted& wanted, TimePoint now, Done done);

  void End(std::string_view space, const LookUp& answer, TimePoint now);

 private:
  static constexpr size_t kKeptMax = 4'096;  // spaces; then all are forgotten

  struct Kept {
    LookUp answer;
    TimePoint at;
  };

  bool Helps(const Kept& kept, const Wanted& wanted, TimePoint now) const;

  const NodeTable& nodes_;
  StringMap<std::vector<Done>> waiting_;
  StringMap<Kept> kept_;
};

}  // namespace engram::routing
