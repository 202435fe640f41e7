// Whether this node's copy of a space has what a reader has seen (DESIGN §5): if not, the request
// waits a moment for it, and then goes to the primary.
//
// Pure; values.
#pragma once

#include <cstdint>

#include "engram/base/time.h"

namespace engram::server {

// How long a read waits for a change that is on its way to this node. Shipping takes 10 ms when all
// is well; another holder answers sooner than one that is so far behind.
inline constexpr Duration kSessionWaitMax = std::chrono::milliseconds(250);
// Between two looks.
inline constexpr Duration kSessionLook = std::chrono::milliseconds(5);

enum class SessionStep : uint8_t {
  kServe,
  kWait,         // look again after kSessionLook
  kElsewhere,    // WrongNode: the primary has it sooner
  kServeBehind,  // this node is the primary: nobody has more. The answer is flagged
};

enum class Role : uint8_t { kReplica, kPrimary };
enum class Copy : uint8_t { kHasIt, kLacksIt };

// `deadline`: of the request; `since`: when it came.
constexpr SessionStep NextSessionStep(Copy copy, Role role, TimePoint since, TimePoint deadline,
                                      TimePoint now) {
  if (copy == Copy::kHasIt) return SessionStep::kServe;
  const bool in_time = now + kSessionLook < deadline && now - since < kSessionWaitMax;
  if (in_time) return SessionStep::kWait;
  return role == Role::kPrimary ? SessionStep::kServeBehind : SessionStep::kElsewhere;
}

}  // namespace engram::server
