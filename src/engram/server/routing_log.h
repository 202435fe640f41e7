// Log lines about what routing had to do about other nodes (SPEC R16): fallbacks, redirects and
// changes of circuit breakers, as key=value, at most one a second for each kind and node; the next
// one says how many were left out.
//
// Belongs to one loop: an outage under load must not make the loops wait for each other, so each
// has its own limit. Only of a breaker's change one loop speaks for all.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "engram/base/mutex.h"
#include "engram/base/time.h"
#include "engram/routing/call_plan.h"
#include "engram/routing/circuit_breaker.h"

namespace engram::server {

// What is told apart, beside the node.
enum class RoutingEvent : uint8_t { kFallback, kRedirect, kBreaker };

// Pure. Its memory is bounded by the number of nodes that requests were sent to.
class LogLimiter {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(1);

  // Whether to log this one: how many of the same were left out since the last that was logged, or
  // nothing if this is to be left out, too.
  std::optional<uint64_t> Admit(RoutingEvent event, std::string_view node, TimePoint now);

 private:
  struct State {
    TimePoint logged;
    uint64_t left_out = 0;
  };
  absl::flat_hash_map<std::string, State> states_;
};

// The breakers that the log has as open, for all loops of a node: each sees the same ones change.
// Thread-safe; a loop asks only when what it has seen itself changes.
class LoggedBreakers {
 public:
  // Whether it is news that the breaker of that name is open, or closed.
  bool Set(const std::string& name, bool open);

 private:
  Mutex mutex_;
  absl::flat_hash_set<std::string> open_ ABSL_GUARDED_BY(mutex_);
};

class RoutingLog {
 public:
  // `logged` outlives it.
  explicit RoutingLog(LoggedBreakers& logged) : logged_(logged) {}

  // What came of one request, in order.
  void Attempts(const SpaceId& space, std::span<const routing::AttemptRecord> attempts,
                TimePoint now);

  // One of the requests of a recall over several spaces that did not go well; which of the spaces
  // went to whom instead, --explain shows.
  void OneOfMany(const routing::AttemptRecord& attempt, TimePoint now);

  // The breaker of `operations` ("reads", "writes") at the node, after a request to it has ended.
  // Says so if it opened or closed since this loop last looked, and no other loop has said it.
  void Breaker(const NodeId& node, std::string_view operations,
               const routing::CircuitBreaker& breaker, TimePoint now);
  // Whether a breaker was open when this loop last looked: then successes are worth a look, too.
  bool sees_open_breakers() const { return !open_.empty(); }

 private:
  void Fallback(const SpaceId& space, const routing::AttemptRecord& failed, std::string_view to,
                TimePoint now);
  void Redirect(const SpaceId& space, std::string_view from, std::string_view to, TimePoint now);

  LoggedBreakers& logged_;
  LogLimiter limiter_;
  absl::flat_hash_set<std::string> open_;  // "operations node"
};

}  // namespace engram::server
