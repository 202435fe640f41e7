// One round of a question to many spaces (SPEC R11): fed with what happened, it says which node to
// ask for which of them.
//
// Pure: no I/O, no clock; the driver sends, asks, waits and reports. Not thread-safe: it belongs to
// the loop that carries the request. Spaces are numbers to it, positions in the caller's list.
//
// Each space is routed by the rules of scatter_target.h. What is the plan's own:
//  - All spaces that have to be asked for at one moment are grouped by node: one request to each,
//    all at once; and who holds those that are in doubt is asked of all nodes in one go, too.
//  - A node that has not answered after `try_limit` is slow: its spaces are asked for elsewhere. It
//    is not cut off, the first answer counts.
//  - A node's breaker is asked before each request to it, its budget before one that asks only
//    again (node_table.h); who is refused by them is asked for elsewhere. For the last holder that
//    membership holds Alive the breaker lets a probe through now and then.
//  - What has no answer at the deadline is missing. Every space ends answered or missing, once.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "engram/base/time.h"
#include "engram/routing/scatter_target.h"

namespace engram::routing {

// Decide() for one space of many: as for a recall of it alone, but that its other holders stand
// behind this node, in case it is too busy.
Decision DecideOneOfMany(const ReadPolicy& policy, const Knowledge& knowledge, const View& view,
                         TimePoint now, std::mt19937_64& random);

class ScatterPlan {
 public:
  // Position of a space in the caller's list.
  using Space = uint32_t;
  using Wanted = ScatterTarget::Wanted;
  using Result = ScatterTarget::Result;

  struct Send {
    uint32_t number;  // of this request; given back with its end
    NodeIndex node;
    std::vector<Space> spaces;  // ascending
  };

  // Who holds the space? An answer that is older than `known` helps nobody.
  struct AskAll {
    Space space;
    RouteVersion known;
  };

  // What to do now: send and ask all of these, and call OnTimer() at `wake` unless something
  // happens before.
  struct Step {
    std::vector<Send> sends;
    std::vector<AskAll> look_ups;   // each is to be answered with OnLookUps()
    std::optional<TimePoint> wake;  // none: finished; what is still under way may be cancelled
  };

  // What a node said about one space of its request.
  struct Answer {
    absl::Status error;              // OK: it answered for the space
    std::optional<Route> elsewhere;  // of a redirect: the assignment that it knows
  };

  // `options`, `nodes` and `random` must outlive the plan.
  ScatterPlan(const std::vector<Wanted>& spaces, TimePoint deadline, const ScatterOptions& options,
              const NodeTable& nodes, std::mt19937_64& random);
  ~ScatterPlan();
  ScatterPlan(const ScatterPlan&) = delete;
  ScatterPlan& operator=(const ScatterPlan&) = delete;

  Step Start(TimePoint now) { return Next(now); }
  // The node answered: one Answer for each of the request's spaces, in their order.
  Step OnAnswer(uint32_t number, std::span<const Answer> answers, TimePoint now);
  // The request as a whole failed. After the end of the plan, all of these do nothing.
  Step OnFailure(uint32_t number, const absl::Status& error, TimePoint now);
  Step OnLookUps(std::span<const std::pair<Space, LookUp>> answers, TimePoint now);
  Step OnTimer(TimePoint now) { return Next(now); }

  // What the next request for the space is routed by.
  const RouteVersion& version(Space space) const { return targets_[space].version(); }
  // REQUIRES: finished.
  const Result& result(Space space) const { return targets_[space].result(); }
  size_t size() const { return targets_.size(); }
  bool finished() const { return unsettled_ == 0; }

  // Of all requests, in the order in which they ended. REQUIRES: finished.
  const AttemptRecords& attempts() const { return attempts_; }
  // Hops, retries, fallbacks and refusals count requests to nodes, look-ups the times that nodes
  // were asked who holds spaces, redirects the spaces.
  const CallStats& stats() const { return stats_; }

 private:
  struct Request {
    NodeIndex node;
    std::vector<Space> spaces;
    ScatterReason why = ScatterReason::kFirst;
    bool repeated = true;  // all of its spaces have been asked of this node before
    bool forward = false;  // one of them is asked for the first time, or was redirected
    CircuitBreaker::Ticket ticket;
    TimePoint since;
    bool slow = false;
    bool ended = false;
  };
  using Groups = std::map<NodeIndex, Request>;

  Step Next(TimePoint now);
  void MarkSlow(TimePoint now);
  // Asks every space what it needs; true if a node was chosen that then turned out to be shut.
  bool Group(TimePoint now, Groups& admitted, std::vector<AskAll>& look_ups);
  bool Admit(Request& request, TimePoint now);
  std::optional<CircuitBreaker::Ticket> TicketFor(const Request& request, TimePoint now);
  void Add(Request&& request, Groups& admitted);
  void Count(const Request& request);
  Request* End(uint32_t number);
  // What the end of a request says about its node.
  void Judge(const Request& request, const absl::Status& status, TimePoint now);
  void Record(const Request& request, const absl::Status& status, TimePoint now);
  // Ends what is not waited for any more.
  void Abandon(TimePoint now);
  void CountUnsettled();
  TimePoint WakeAt() const;

  ScatterRules rules_;
  std::vector<ScatterTarget> targets_;
  std::vector<Request> requests_;  // by number
  size_t unsettled_ = 0;
  AttemptRecords attempts_;
  CallStats stats_;
};

}  // namespace engram::routing
