// The attempt machine of one routed request (SPEC R4, R6, R8): fed with what happened, it says what
// to do next.
//
// Pure: no I/O, no clock; the driver sends, waits and reports. Not thread-safe: it belongs to the
// loop that carries the request.
//
// Rules, each in one place below:
//  - Every candidate is tried once before any is tried again; then back-off, at most
//  `tries_per_node_max` tries each.
//  - A redirect is followed at once if it raises the known version, at most `redirects_max` times.
//  - A fatal error of the node that was asked is the result; errors are classified by base/error.h
//  alone.
//  - A write that may have been carried out is repeated (it keeps its request id, so it has one
//  effect); if nothing settles it,
//    the result is Undetermined, never "failed".
//  - A try of a read is cut short after `read_try_limit` while another candidate is left.
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
#include "engram/placement/assignment.h"
#include "engram/routing/backoff.h"
#include "engram/routing/decision.h"

namespace engram::routing {

struct CallPlanOptions {
  int tries_per_node_max = 3;
  int redirects_max = 2;
  Duration read_try_limit = std::chrono::milliseconds(500);
  BackoffOptions backoff;
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
  // Of a WrongNode answer: the assignment that the node knows.
  std::optional<placement::Assignment> redirect;
};

// One line of `--explain`. Every request makes one and few are read: texts are static, or made when
// they are asked for.
struct AttemptRecord {
  NodeId node;
  std::string_view outcome;  // "ok", "redirect", "failed", "undetermined"
  std::string_view why;      // the node was asked
  absl::Status error;        // OK if it served the request
  Duration took{};

  std::string reason() const {
    return error.ok() ? std::string(why) : std::string(error.message());
  }
};

using AttemptRecords = absl::InlinedVector<AttemptRecord, 1>;

class CallPlan {
 public:
  struct Send {
    NodeId node;
    TimePoint deadline;  // of this try
    int hop;             // 1 for the first node asked, +1 with each redirect
    Version version;     // of the assignment by which the node was chosen
  };
  struct Wait {
    TimePoint until;  // then call OnTimer
  };
  struct Finish {
    absl::Status status;
  };
  using Action = std::variant<Send, Wait, Finish>;

  // `random` must outlive the plan. REQUIRES: decision.candidates is not empty.
  CallPlan(Operation op, SpaceId space, Decision decision, TimePoint deadline,
           const CallPlanOptions& options, std::mt19937_64& random);

  Action Start(TimePoint now);
  // REQUIRES: the last action was Send.
  Action OnOutcome(const Outcome& outcome, TimePoint now);
  // REQUIRES: the last action was Wait.
  Action OnTimer(TimePoint now);

  const AttemptRecords& attempts() const { return attempts_; }
  // The same, given away; when the plan has finished.
  AttemptRecords TakeAttempts() { return std::move(attempts_); }

 private:
  struct Candidate {
    NodeId node;
    int tries = 0;
  };

  Action Next(TimePoint now);
  Action SendTo(Candidate& candidate, TimePoint now);
  Action Follow(const Outcome& outcome, TimePoint now);
  Action GiveUp();
  Action End(const absl::Status& status);
  Action EndAtDeadline();
  void Record(std::string_view outcome, const absl::Status& status, TimePoint now);
  Candidate* LeastTried();
  bool OthersUntried(const Candidate& candidate) const;
  absl::Status Annotated(ErrorCode code, const std::string& message) const;

  const Operation op_;
  const SpaceId space_;
  const TimePoint deadline_;
  const CallPlanOptions& options_;
  std::mt19937_64& random_;

  absl::InlinedVector<Candidate, 3> candidates_;
  Version version_;
  std::string_view why_;  // why the current node was chosen
  int redirects_ = 0;
  int rounds_ = 0;  // waits so far
  bool maybe_done_ = false;
  NodeId asked_;
  TimePoint asked_at_{};
  absl::Status last_error_;
  AttemptRecords attempts_;
};

}  // namespace engram::routing
