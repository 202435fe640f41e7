// How a node finds its cluster when it starts: whom to ask, and what to make of the answers.
//
//   is a member already   asks until one answers who is a member too: then it knows what has
//                         happened meanwhile
//   is new, has seeds     the same; it belongs to whatever cluster answers
//   is new, bootstraps    the same; but if no member answers for a while, it founds a cluster
//   is new, has no seeds  it founds a cluster at once
//
// A cluster is founded once: who is a member keeps its cluster's id and never founds another one,
// and of several that would found at the same time the one with the smallest id does. Who is about
// to found asks all addresses at once before it does, however many there are: of two of which each
// did so, one was there for `bootstrap_after` when it asked, longer than a call may take, so that
// the other had either founded by then, or hears of the first when it asks.
//
// Owned by its driver. Pure; not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "engram/base/strong_id.h"
#include "engram/base/time.h"

namespace engram::membership {

struct JoinerOptions {
  NodeId self{};
  std::string cluster_id{};  // empty: new
  bool has_seeds = false;
  bool bootstrap = false;
  // Several are asked at a time, the next ones after so long, which doubles up to the longest.
  Duration ask_period = std::chrono::milliseconds(200);
  Duration ask_period_max = std::chrono::seconds(2);
  size_t ask_fanout = 3;
  Duration bootstrap_after = std::chrono::seconds(5);
};

// What a node that was asked said of itself.
struct JoinAnswer {
  NodeId node;
  std::string cluster_id;  // empty: it is no member of any yet
  std::string state;
  bool bootstrap = false;
};

class Joiner {
 public:
  struct Ask {
    std::string address;
  };
  // Ends it: `answer` is of a member of this node's cluster.
  struct Joined {
    std::string address;
    JoinAnswer answer;
  };
  struct Found {};
  // Nothing will help but a person.
  struct Refused {
    absl::Status status;
  };
  using Output = std::variant<Ask, Joined, Found, Refused>;

  Joiner(JoinerOptions options, TimePoint now);

  // Who may be asked: seeds, and members known from an earlier life. Replaces what was given
  // before.
  void SetAddresses(std::vector<std::string> addresses, TimePoint now);

  // What came of an Ask: one of them for each, and sooner than `bootstrap_after`. Any error may
  // pass but InvalidArgument, and InvalidEndpoint, which says that others cannot dial this node, if
  // it repeats.
  void OnAnswer(const std::string& address, JoinAnswer answer, TimePoint now);
  void OnError(const std::string& address, const absl::Status& status);

  void Tick(TimePoint now);
  TimePoint NextWake() const;
  std::vector<Output> TakeOutput();

  // It has said Joined, Found or Refused.
  bool done() const { return done_; }
  // By address, what came last of asking it, for those who wait.
  const std::map<std::string, absl::Status>& errors() const { return errors_; }

 private:
  template <class Last>
  void End(Last last) {
    outputs_.emplace_back(std::move(last));
    done_ = true;
  }
  void AskNext(size_t count);
  bool MayFound(TimePoint now) const;
  void LookOnceMore();
  void HoldUp(TimePoint now);
  void OnAskOver(const std::string& address);
  void FoundIfNobodyIsThere();

  const JoinerOptions options_;
  const TimePoint started_;
  std::deque<std::string> waiting_;  // in the order to ask
  std::map<std::string, absl::Status> errors_;
  std::vector<Output> outputs_;
  TimePoint ask_at_;
  Duration ask_period_;
  // A member, or one that would found before this node, was heard; min(): never.
  TimePoint held_up_at_ = TimePoint::min();
  TimePoint asked_at_{};                  // last
  std::set<TimePoint> undialable_at_;     // asked when somebody could not dial this node
  std::multiset<std::string> in_flight_;  // asked, and nothing came of it yet
  bool last_look_ = false;                // it founds a cluster when nothing is in flight
  bool done_ = false;
};

}  // namespace engram::membership
