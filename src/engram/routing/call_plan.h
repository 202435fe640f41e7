// The attempt machine of one routed request (SPEC R4, R6 to R9, R13): fed with what happened, it
// says what to do next.
//
// Pure: no I/O, no clock; the driver sends, asks, waits and reports. Not thread-safe: it belongs to
// the loop that carries the request. What it learns about nodes it tells their NodeState, which all
// requests share.
//
// The rules, each in one place of call_plan.cc:
//  - Every candidate is tried once before any is tried again; then back-off, at most
//    `tries_per_node_max` tries each. A repeat needs the node's retry budget; the first try at
//    another holder is free.
//  - A node whose breaker is open is passed over. When all are, one that is held alive gets a probe
//    now and then, and everybody else fails with kCircuitBreakerOpen.
//  - A redirect is followed at once if it raises the known version, at most `redirects_max` times.
//  - When that leads nowhere, or no candidate can be reached, the assignment may be old: everybody
//    is asked once who holds the space.
//  - A fatal error of the node that was asked is the result. base/error.h alone classifies errors.
//  - A write that may have been carried out is repeated (it keeps its request id, so it has one
//    effect); if nothing settles it, the result is kUndetermined, never "failed".
//  - A try is cut short: of a read while another candidate is left, of a write always, since it can
//    be repeated. While the only candidate is slow, everybody is asked beside it.
//  - While holders answer but none of them is primary (a failover, SPEC C7), what needs the primary
//    waits inside its deadline: everybody is asked who it is every `primary_pace`, and whoever says
//    that he is gets the request at once. The one that is gone is not tried again before it says
//    that it is back.
//  - With `hedged_reads`, a read that takes longer than 95 of 100 at that node is also sent to the
//    next holder, within that one's budget; the first answer wins. The same, sooner and free, if
//    the try is a breaker's probe: nobody shall wait for a node because it was chosen to find out.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "engram/base/error.h"
#include "engram/base/time.h"
#include "engram/routing/backoff.h"
#include "engram/routing/decision.h"
#include "engram/routing/node_table.h"

namespace engram::routing {

struct CallPlanOptions {
  int tries_per_node_max = 3;
  int redirects_max = 2;
  Duration read_try_limit = std::chrono::milliseconds(500);
  Duration write_try_limit = std::chrono::seconds(3);
  // A read that is a breaker's probe goes to the next holder too after this time.
  Duration probe_patience = std::chrono::milliseconds(50);
  // A primary that is slow, while others hold the space, has this long before everybody is asked
  // beside it whether there is a new one.
  Duration primary_patience = std::chrono::milliseconds(250);
  // Between two questions who the new primary is; up to half of it less, at random.
  Duration primary_pace = std::chrono::milliseconds(120);
  bool hedged_reads = false;
  BackoffOptions backoff;
};

struct CallRequest {
  Operation op = Operation::kGet;
  std::string_view space;  // outlives the plan
  ReadPolicy policy;
  TimePoint deadline;
};

// What the driver knows of a try that failed.
enum class Delivery : uint8_t {
  kNotSent,       // the node certainly did not begin: any error may be tried again
  kUndetermined,  // the node may have carried it out, whatever the error says
  kAnswered,      // the node itself answered with the error
};

// How one try ended, as the driver saw it.
struct Outcome {
  absl::Status status;  // OK ends the plan
  Delivery delivery = Delivery::kAnswered;
  // Of a kWrongNode answer: the assignment that the node knows.
  std::optional<Route> redirect;
};

// What came of asking everybody who holds the space.
struct LookUp {
  // How long an answer may be used for others who ask the same.
  static constexpr Duration kKeep = std::chrono::seconds(1);

  // What the holders say of themselves. `primary` is kNoNode if only replicas answered; nothing if
  // nobody holds it.
  std::optional<Route> claim;
  // The newest assignment that any of the others has heard of, who hold nothing themselves. Counts
  // only without a claim: a space that moves while all are asked is claimed by nobody.
  std::optional<Route> heard;
  uint32_t asked = 0;
  uint32_t answered = 0;
};

// One line of `--explain`. Every request makes one and few are read: texts are static, or made when
// they are asked for.
struct AttemptRecord {
  std::string_view node;  // its id; lives as long as the NodeTable
  // "ok", "redirect", "not_here", "failed", "undetermined" or "skipped": it was not asked.
  std::string_view outcome;
  std::string_view why;  // the node was asked
  absl::Status error;    // OK if it served the request
  Duration took{};

  std::string reason() const {
    return error.ok() ? std::string(why) : std::string(error.message());
  }
};
using AttemptRecords = absl::InlinedVector<AttemptRecord, 1>;

// What a finished request took, for the metrics.
struct CallStats {
  int hops = 0;       // the first forward, and each that followed a redirect
  int redirects = 0;  // answers kWrongNode
  int look_ups = 0;
  int retries = 0;                                // repeats at the same node
  absl::InlinedVector<ErrorCode, 4> retried_for;  // the error that led to each
  int fallbacks = 0;                              // first tries at a further holder
  int hedges = 0;
  int breaker_refusals = 0;
  int budget_refusals = 0;
};

class CallPlan {
 public:
  struct Send {
    int attempt;  // names the try in OnOutcome()
    NodeIndex node;
    TimePoint deadline;    // of this try
    int hop;               // 1 for the first node asked, +1 with each redirect
    RouteVersion version;  // of the assignment by which the node was chosen
    bool create;           // nobody holds the space: the node is asked to create it
    TimePoint check_at;    // if it has not ended then, call OnTimer
  };
  struct AskAll {        // who holds the space? Then call OnLookUp
    RouteVersion known;  // an answer that is older helps nobody
    TimePoint until;     // if there is none by then, call OnTimer
    Duration age_max;    // an answer that was given to others longer ago helps nobody
  };
  struct Wait {
    TimePoint until;  // then call OnTimer
  };
  struct Await {               // nothing to do until another try that is under way ends,
    TimePoint until = kNever;  // or it is so late: then call OnTimer
  };
  struct Finish {  // then LetGo(), and what is still under way is to be cancelled
    absl::Status status;
  };
  using Action = std::variant<Send, AskAll, Wait, Await, Finish>;

  // All that is referred to must outlive the plan.
  CallPlan(const CallRequest& request, const Decision& decision, NodeIndex proposed,
           NodeTable& nodes, const CallPlanOptions& options, std::mt19937_64& random);
  // Tries under way are then without a verdict on their nodes.
  ~CallPlan();
  CallPlan(const CallPlan&) = delete;
  CallPlan& operator=(const CallPlan&) = delete;

  Action Start(TimePoint now);
  // REQUIRES: the try is under way and the plan has not finished.
  Action OnOutcome(int attempt, const Outcome& outcome, TimePoint now);
  Action OnLookUp(const LookUp& look_up, TimePoint now);
  Action OnTimer(TimePoint now);
  // Nobody can be asked, because this node has been cut off since: ends with `status`.
  Action OnCutOff(const absl::Status& status);

  // The request has ended, here or by its client, and what is under way is cancelled: a try that
  // had a fair time by then counts against its node. A breaker's probe is not to be cancelled; what
  // comes of it is told with OnLateOutcome().
  void LetGo(TimePoint now);
  bool IsProbe(int attempt) const;
  void OnLateOutcome(int attempt, const Outcome& outcome, TimePoint now);

  const CallStats& stats() const { return stats_; }
  const AttemptRecords& attempts() const { return attempts_; }
  // The same, given away; when the plan has finished.
  AttemptRecords TakeAttempts() { return std::move(attempts_); }

 private:
  struct Candidate {
    NodeIndex node;
    int tries = 0;
    bool shut = false;     // by its breaker, in this round
    bool spent = false;    // its retry budget is, in this round
    bool denied = false;   // it said that it does not hold the space
    bool reached = false;  // a try may have reached it

    bool Excluded() const { return shut || spent || denied; }
  };
  struct UnderWay {
    int attempt;
    NodeIndex node;
    CircuitBreaker::Ticket ticket;
    TimePoint since;
    std::string_view why;
  };

  Action Next(TimePoint now);
  std::optional<Action> TryCandidates(TimePoint now);
  std::optional<Action> Try(Candidate& candidate, TimePoint now);
  std::optional<Action> ProbeLastHolder(TimePoint now);
  Action SendTo(Candidate& candidate, CircuitBreaker::Ticket ticket, TimePoint now);
  Action NextRound(TimePoint now);
  Action AwaitPrimary(TimePoint now);
  TimePoint NextQuestion(TimePoint now) const;
  bool OthersMayLead() const;
  bool NeedsPrimary() const;
  int RoundsMax() const;
  Action Follow(const Outcome& outcome, TimePoint now);
  Action WhileSlow(TimePoint now);
  std::optional<Action> Hedge(TimePoint now);
  Action Ask();
  void Adopt(const Route& route, std::string_view why, TimePoint now);
  Action GiveUp();
  Action AllShut(TimePoint now);
  Action NobodyHolds(const LookUp& look_up, TimePoint now);
  Action End(const absl::Status& status);
  Action EndAtDeadline();

  UnderWay Take(int attempt);
  void Judge(const UnderWay& ended, const Outcome& outcome, TimePoint now);
  void Skip(Candidate& candidate, ErrorCode code, std::string_view reason);
  void Deny(NodeIndex node);
  void Reached(NodeIndex node);
  void Record(const UnderWay& ended, std::string_view outcome, const absl::Status& status,
              TimePoint now);
  void SetLimits(const Candidate& candidate, bool probe, TimePoint now, Send& send) const;
  bool Probing() const;
  bool OthersLeft(const Candidate& candidate) const;
  CircuitBreaker& BreakerOf(NodeIndex node) const;
  static Duration PushBackOf(const ErrorDetail& detail);
  absl::Status Error(ErrorCode code, const std::string& message, Duration retry_after = {}) const;

  const CallRequest request_;
  const NodeIndex proposed_;
  NodeTable& nodes_;
  const CallPlanOptions& options_;
  std::mt19937_64& random_;

  absl::InlinedVector<Candidate, 3> candidates_;
  absl::InlinedVector<UnderWay, 1> under_way_;
  RouteVersion version_;
  bool assigned_;  // an assignment is known, not only the ring's proposal
  bool create_ = false;
  std::string_view why_;  // why the next node is asked
  int rounds_ = 0;        // waits so far
  int redirects_followed_ = 0;
  bool doubt_ = false;       // the assignment may be old
  bool looked_up_ = false;   // in this round
  bool asking_ = false;      // the answer to AskAll is outstanding
  bool replicated_;          // others hold the space, too
  bool leaderless_ = false;  // holders answer, and none of them is primary
  bool patient_ = false;     // it was so: the space has others who can become primary
  bool progress_ = false;    // something newer was learnt in this round
  bool maybe_done_ = false;  // a write may have been carried out
  NodeIndex last_asked_ = kNoNode;
  absl::Status last_error_;
  CallStats stats_;
  AttemptRecords attempts_;
};

}  // namespace engram::routing
