// One space of a question to many (scatter_plan.h): whom to ask for it next, and when it is
// missing.
//
// The rules are those of a request for the space alone (call_plan.h):
//  - Every holder is tried once before any is tried again; then a back-off, at most
//    `tries_per_node_max` tries at each. A push-back makes the back-off longer.
//  - A redirect is followed at once if it raises the known version, at most `redirects_max` times.
//  - When a holder denies, does not answer, is slow or shut out by its breaker, or when none is
//    known, and nobody else is left: everybody is asked who holds the space, beside what is still
//    under way, then again from time to time. So a space is missing only after all nodes were
//    asked for its holder.
//  - As long as something newer is learnt the rounds do not count: a space that moves is followed.
//  - A space that is this node's or nobody's (Strategy::kLocalOnly: the node is cut off) is neither
//    looked up nor asked for elsewhere.
//
// What is apart from a request alone: a node is asked for many spaces by one request, so its
// breaker and budget are asked by the plan; a slow node is not cut off, the first answer counts;
// and a holder's fatal error takes only that holder out.
//
// Pure. Not thread-safe: belongs to a plan.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <span>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "engram/base/time.h"
#include "engram/routing/backoff.h"
#include "engram/routing/call_plan.h"
#include "engram/routing/decision.h"
#include "engram/routing/look_up_line.h"
#include "engram/routing/node_table.h"

namespace engram::routing {

struct ScatterOptions {
  int tries_per_node_max = 2;
  int redirects_max = 2;
  Duration try_limit = std::chrono::milliseconds(500);  // then a node is slow
  BackoffOptions backoff;
  NodeIndex self = kNoNode;  // has neither breaker nor budget
  // Why a space's first holder is asked, for --explain. Outlives the plan.
  std::string_view why = "assigned";
};

// Why a node is asked for a space; of the spaces of one request the last of these counts.
enum class ScatterReason : uint8_t {
  kFirst,
  kAgain,
  kFallback,
  kFound,  // by asking all
  kRedirected,
  kLastHolder,  // its breaker is open, and nobody else is left
};

// Spaces that fail at one moment are asked for together again: the random part of the back-off is
// drawn once for all that wait equally long.
class SharedBackoff {
 public:
  // When to try again after `rounds` rounds; not before `asked_for`, by a node that asked for it.
  TimePoint At(const BackoffOptions& options, int rounds, Duration asked_for, TimePoint now,
               std::mt19937_64& random);

 private:
  TimePoint now_ = TimePoint::min();
  std::map<std::pair<int, Duration>, TimePoint> drawn_;
};

// What the targets of one plan share.
struct ScatterRules {
  const ScatterOptions& options;
  const NodeTable& nodes;
  std::mt19937_64& random;
  TimePoint deadline;
  SharedBackoff backoff = {};
};

class ScatterTarget {
 public:
  // Who may answer for a space, and whom the caller wants it from.
  struct Wanted {
    Decision decision;
    ReadPolicy policy;  // orders the holders of an assignment that is learnt meanwhile
    // It is not a space that could be elsewhere: the candidates or nobody.
    bool only_there = false;
  };

  struct Result {
    bool answered = false;
    NodeIndex node = kNoNode;  // who answered, or was asked last
    absl::Status error;        // why it is missing
  };

  struct Move {
    enum class Kind : uint8_t {
      kNone,    // nothing to do now
      kAsk,     // `node`, unless its breaker or budget forbids
      kLookUp,  // everybody who holds it
    };
    Kind kind = Kind::kNone;
    NodeIndex node = kNoNode;
    ScatterReason why = ScatterReason::kFirst;
    bool repeated = false;  // the node has been asked before
    bool first = false;     // nobody has been asked before
  };

  explicit ScatterTarget(const Wanted& wanted);

  // It may settle the space as missing. The plan either does what is returned and says so below, or
  // says why it does not. REQUIRES: not settled.
  Move Next(ScatterRules& rules, TimePoint now);

  void OnSent(NodeIndex node);
  // The node's breaker is open: until when, at most.
  void OnShut(NodeIndex node, TimePoint until);
  // The node's retry budget is spent.
  void OnSpent(NodeIndex node);

  // A request for it has not been answered in a fair time.
  void OnSlow();
  // A request for it has ended; before what came of it.
  void OnEnded(bool was_slow);
  void OnAnswered(NodeIndex node);
  // The node does not hold it, and knows this assignment, if any.
  void OnDenied(NodeIndex node, const absl::Status& error, const std::optional<Route>& elsewhere,
                const ScatterRules& rules, TimePoint now);
  // `heard`: the error is the node's own.
  void OnFailed(NodeIndex node, const absl::Status& error, bool heard);
  void OnLookUp(const LookUp& look_up, const ScatterRules& rules, TimePoint now);
  void OnDeadline();

  bool settled() const { return settled_; }
  const Result& result() const { return result_; }
  // What the next request for it is routed by.
  const RouteVersion& version() const { return version_; }
  // When it has to be looked at again though nothing has happened to it; the past if never.
  TimePoint look_at() const {
    if (asking_ || fresh_ > 0) return TimePoint::min();
    return under_way_ > 0 ? look_again_at_ : not_before_;
  }

 private:
  struct Holder {
    NodeIndex node;
    int tries = 0;
    bool shut = false;     // by its breaker, in this round
    bool refused = false;  // the breaker let no probe through either
    bool spent = false;    // its retry budget is, in this round
    bool denied = false;   // it said that it does not hold the space
    bool out = false;      // its error was fatal

    bool Excluded() const { return shut || spent || denied || out; }
  };

  Holder* Find(NodeIndex node);
  Holder* Untried(const ScatterRules& rules);
  Holder* LastHolder(const ScatterRules& rules);
  Move Ask(const Holder& holder, ScatterReason why) const;
  bool MayLookUp(TimePoint now) const;
  void NextRound(ScatterRules& rules, TimePoint now);
  int RoundsMax(const ScatterOptions& options) const;
  void Adopt(const Route& route, ScatterReason why, const ScatterRules& rules, TimePoint now);
  absl::Status LastError() const;
  void GiveUp(const ScatterRules& rules, TimePoint now);
  void Miss(absl::Status error);

  ReadPolicy policy_;
  absl::InlinedVector<Holder, 3> holders_;
  RouteVersion version_;
  bool assigned_;  // an assignment is known, not only the ring's proposal
  bool confined_;  // to these holders
  ScatterReason why_ = ScatterReason::kFirst;
  int rounds_ = 0;  // waits so far
  int redirects_ = 0;
  int under_way_ = 0;       // requests that ask for it
  int fresh_ = 0;           // those of them that are not slow yet
  bool doubt_;              // the assignment may be old
  bool looked_up_ = false;  // in this round
  bool asking_ = false;     // the answer of everybody is outstanding
  bool progress_ = false;   // something newer was learnt in this round
  bool asked_ = false;      // somebody has been
  bool settled_ = false;
  TimePoint look_again_at_ = TimePoint::min();
  Duration look_again_after_ = LookUpLine::kKeep;  // before, the answer would be the same
  TimePoint not_before_ = TimePoint::min();        // of further tries
  TimePoint shut_until_ = kNever;                  // the first breaker that opens again
  Result result_;
};

}  // namespace engram::routing
