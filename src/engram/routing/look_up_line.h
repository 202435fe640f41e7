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
  static constexpr Duration kKeep = std::chrono::seconds(1);
  // How long the nodes have for their answers; the driver ends the look-up then.
  static constexpr Duration kLimit = std::chrono::milliseconds(500);

  using Done = absl::AnyInvocable<void(const LookUp&)>;

  // `nodes` must outlive the line.
  explicit LookUpLine(const NodeTable& nodes) : nodes_(nodes) {}

  // True: the caller has to ask all nodes and then call End(). Else somebody has, and `done` is
  // called when they have answered, or at once with what they said a moment ago, unless that is
  // older than the assignment that is `known` already.
  [[nodiscard]] bool Join(std::string_view space, const RouteVersion& known, TimePoint now,
                          Done done);

  void End(std::string_view space, const LookUp& answer, TimePoint now);

 private:
  static constexpr size_t kKeptMax = 4'096;  // spaces; then all are forgotten

  struct Kept {
    LookUp answer;
    TimePoint until;
  };

  bool Helps(const Kept& kept, const RouteVersion& known, TimePoint now) const;

  const NodeTable& nodes_;
  StringMap<std::vector<Done>> waiting_;
  StringMap<Kept> kept_;
};

}  // namespace engram::routing
