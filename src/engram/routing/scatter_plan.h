// One round of a question to many spaces (SPEC R11): fed with what happened, it says which node to
// ask for which of them.
//
// Pure: no I/O, no clock; the driver sends, waits and reports. Not thread-safe: it belongs to the
// loop that carries the request. Spaces are numbers to it, positions in the caller's list.
//
// Rules, each in one place below:
//  - All spaces that have to be asked at one moment are grouped by node: one request to each, all
//  at
//    once.
//  - A space goes to its first holder; if that fails, says it does not hold it, or has not answered
//    after `try_limit`, to the next (a slow node is not cut off: the first answer counts). After
//    the last, once more to each, after a back-off, up to `tries_per_node_max` tries.
//  - A node that names another holder is believed if its assignment is newer, `redirects_max`
//    times; the holders are then those of that assignment. If nobody of a known assignment holds
//    the space any more, everybody is asked.
//  - A node's breaker is asked before each request to it, its budget before a repeat try
//    (node_table.h); who is refused by them looks for another holder. For the last one that
//    membership holds Alive the breaker lets a probe through now and then.
//  - What has no answer at the deadline is missing. Every space ends answered or missing, once.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "engram/base/time.h"
#include "engram/routing/backoff.h"
#include "engram/routing/node_table.h"
#include "engram/routing/route.h"

namespace engram::routing {

struct ScatterOptions {
  int tries_per_node_max = 2;
  int redirects_max = 2;
  Duration try_limit = std::chrono::milliseconds(500);  // while another holder is left
  BackoffOptions backoff;
  NodeIndex self = kNoNode;  // has neither breaker nor budget
};

class ScatterPlan {
 public:
  // Position of a space in the caller's list.
  using Space = uint32_t;

  // Who may answer for a space, in the order to try.
  struct Holders {
    absl::InlinedVector<NodeIndex, 3> nodes;
    RouteVersion version;  // of the assignment; zero when only the ring proposes them
  };

  struct Send {
    uint32_t number;  // of this request; given back with its end
    NodeIndex node;
    std::vector<Space> spaces;  // ascending
  };

  // What to do now: send all of these, and call OnTimer() at `wake` unless something happens
  // before.
  struct Step {
    std::vector<Send> sends;
    std::optional<TimePoint> wake;  // none: finished; what is still under way may be cancelled
  };

  // What a node said about one space of its request.
  struct Answer {
    enum class Kind : uint8_t {
      kAnswered,
      kNotHere,    // it knows no holder
      kElsewhere,  // `route` says who
      kFailed,
    };
    Kind kind = Kind::kAnswered;
    Route route;
    absl::Status error;  // of all but kAnswered
  };

  struct Result {
    bool answered = false;
    NodeIndex node = kNoNode;  // who answered, or was asked last
    absl::Status error;        // why it is missing
  };

  // `nodes` and `random` must outlive the plan. `everyone` is asked for a space that has moved away
  // from all holders that are known.
  ScatterPlan(const std::vector<Holders>& spaces, std::vector<NodeIndex> everyone,
              TimePoint deadline, const ScatterOptions& options, const NodeTable& nodes,
              std::mt19937_64& random);

  Step Start(TimePoint now) { return Next(now); }
  // The node answered: one Answer for each of the request's spaces, in their order.
  Step OnAnswer(uint32_t number, std::span<const Answer> answers, TimePoint now);
  // The request as a whole failed. After the end of the plan, both do nothing.
  Step OnFailure(uint32_t number, const absl::Status& error, TimePoint now);
  Step OnTimer(TimePoint now) { return Next(now); }

  // By space. REQUIRES: finished.
  const std::vector<Result>& results() const { return results_; }
  bool finished() const { return unsettled_ == 0; }

 private:
  struct Holder {
    NodeIndex node;
    int tries = 0;
    bool out = false;        // asking it again is of no use
    bool disclaims = false;  // it says that it does not hold the space
  };
  using HolderList = absl::InlinedVector<Holder, 3>;
  struct Target {
    HolderList holders;
    RouteVersion version;
    int redirects = 0;
    int under_way = 0;  // requests that ask for it
    int fresh = 0;      // those of them that are not slow yet
    bool asking_everybody = false;
    bool settled = false;
    TimePoint not_before = TimePoint::min();  // of further tries
  };
  struct Request {
    NodeIndex node;
    std::vector<Space> spaces;
    TimePoint slow_at;
    bool repeated = false;  // all of its spaces have been asked of this node before
    int tries = 0;          // how often, at most
    CircuitBreaker::Ticket ticket;
    bool slow = false;
    bool ended = false;
  };
  using Groups = std::map<NodeIndex, Request>;

  Step Next(TimePoint now);
  void MarkSlow(TimePoint now);
  // One request to each node that some space is to be asked of now.
  Groups Group(TimePoint now);
  bool Admit(Request& request, TimePoint now);
  void Report(const Request& request, const absl::Status& error, TimePoint now);
  void TakeBack(const Request& request, const absl::Status& why);
  // Gives back the tickets of what is not waited for any more.
  void Abandon(TimePoint now);
  bool IsLast(const Request& request) const;
  void AskFor(Space space, TimePoint now, Groups& groups);
  // The holder to ask now, or null: then the space waits, or has been settled as missing.
  Holder* Choose(Space space, TimePoint now);
  Holder* LeastTried(Target& target);
  bool AddEverybody(Target& target);
  TimePoint WakeAt() const;

  Request& End(uint32_t number);
  TimePoint RetryAt(const Request& request, TimePoint now);
  void Take(Space space, NodeIndex node, const Answer& answer, TimePoint retry_at);
  void Follow(Space space, NodeIndex node, const Answer& answer);
  void Fail(Space space, NodeIndex node, const absl::Status& error, TimePoint retry_at);
  void Exclude(Space space, NodeIndex node, const absl::Status& error);
  void Settle(Space space, Result result);
  void SettleAllMissing();

  const std::vector<NodeIndex> everyone_;
  const TimePoint deadline_;
  const ScatterOptions& options_;
  const NodeTable& nodes_;
  std::mt19937_64& random_;

  std::vector<Target> targets_;
  std::vector<Result> results_;
  std::vector<Request> requests_;  // by number
  size_t unsettled_;
};

}  // namespace engram::routing
