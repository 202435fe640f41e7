// Who is primary of one space, as one of its holders sees it (SPEC C7, DESIGN §5). The rules are
// those of docs/model, where each was tried without; the decisions named below are numbered there.
//
//   primary    a heartbeat to each holder every 500 ms; the answers keep its lease
//   holder     hears nothing for 3 s, or the port refuses ─▶ asks who would promise
//                └─ a majority would ─▶ promises itself, and asks the others for the same
//                     └─ a majority has ─▶ appoints the most caught-up of it
//                          └─ takes office in a new epoch, if it has promised nothing newer since
//   anybody    learns of a newer epoch ─▶ follows it at once
//
// What is said of the log is in the driver's hands: it tells the position, appends the first entry
// of an epoch when told TookOffice, and cuts its log when told Follows.
//
// A planned handover is the same without the wait: the primary promises first, which ends its
// writes; when the other one has the whole log, it is told, and collects the rest.
//
// Owned by its driver. Pure; not thread-safe. After a restart it is made anew from the stored
// state.
#pragma once

#include <optional>
#include <random>
#include <set>
#include <variant>
#include <vector>

#include "engram/replication/failover_message.h"
#include "engram/replication/holder_state.h"
#include "engram/replication/lease.h"
#include "engram/replication/promise_count.h"

namespace engram::replication {

struct FailoverOptions {
  LeaseOptions lease;
  Duration heartbeat = std::chrono::milliseconds(500);
  // Between two attempts of one holder to find a majority, to which up to as much again is added at
  // random, so that two who try at once do not do so for ever.
  Duration retry = std::chrono::milliseconds(500);
  // Who is second in the ring's order waits so much longer than the first before its first attempt:
  // both may have heard the primary last in the same moment.
  Duration turn = std::chrono::milliseconds(250);
};

class Failover {
 public:
  struct Send {
    NodeId to;
    FailoverMessage message;
  };
  // To be durable before anything that comes after it is carried out; then Persisted() is told.
  struct Persist {
    HolderState state;
  };
  // This node is primary of a new epoch: its assignment is the first entry of it, and what this
  // says is stored with that entry, before anything that comes after it is carried out.
  struct TookOffice {
    Epoch epoch;
  };
  // Somebody else is. If this node was primary, it is no more.
  struct Follows {
    Epoch epoch;
  };
  using Output = std::variant<Send, Persist, TookOffice, Follows>;

  // `holders` in the ring's order, `self` among them. `state`: as last stored. `random` must
  // outlive the machine.
  Failover(NodeId self, std::vector<NodeId> holders, const HolderState& state,
           const FailoverOptions& options, std::mt19937_64& random, TimePoint now);

  // What holder `from` has said. What a stranger says is not heeded.
  void Step(const NodeId& from, const FailoverMessage& message, TimePoint now);
  void Tick(TimePoint now);
  // When Tick is wanted next.
  TimePoint NextWake() const;
  // The port of the primary that is followed refused a connection.
  void OnPortRefused() { contact_.Refused(); }
  // What Persist said is durable; up to `position` this holder may have confirmed entries, and of
  // an epoch that the promise fences off none can come after it.
  void Persisted(const HolderState& state, const Version& position, TimePoint now);

  // The first primary of a new space: collects promises of counter 1. REQUIRES: nothing has
  // happened yet.
  void Create(TimePoint now);
  // This primary promises `to` a new counter, and takes no more writes. Nothing if it is not
  // primary, or `to` no other holder.
  void HandOverTo(const NodeId& to, TimePoint now);
  // What HandOverTo has promised is durable, and the other one's log ends like this one, at
  // `position`.
  void CompleteHandOver(const Version& position);
  // One whose copy is not complete takes no office, and asks nobody for promises.
  void SetCopy(CopyState copy) { copy_ = copy; }
  // Who was promised the office by this one, until there is a newer epoch or promise.
  const std::optional<NodeId>& handing_over_to() const { return handing_over_to_; }

  // To be carried out in this order.
  std::vector<Output> TakeOutput();

  const HolderState& state() const { return state_; }
  bool IsPrimary() const { return state_.IsPrimary(self_); }
  // Whether an answer of this primary may go without the flag; ask after reading or committing.
  bool HasLease(TimePoint now) const { return now < LeaseUntil(); }
  TimePoint LeaseUntil() const { return IsPrimary() ? lease_.ValidUntil() : TimePoint::min(); }
  // Whether this primary may give others its copy to go on from: there is certainly no newer one.
  bool MayGiveCopies(TimePoint now) const { return IsPrimary() && lease_.OutvotesTheRest(now); }
  // When the primary that is followed was heard last.
  TimePoint heard_at() const { return contact_.heard_at(); }
  const std::vector<NodeId>& holders() const { return holders_; }
  const std::vector<NodeId>& others() const { return others_; }
  // What another holder has sent is of `epoch`, whose primary it is: follows it, or fences it.
  // Whether it may be heeded.
  bool Hears(const NodeId& from, const Epoch& epoch, TimePoint now);

 private:
  struct Canvassing {
    uint64_t counter = 0;
    std::set<NodeId> would;
    std::set<NodeId> forgetful;  // who would, too, but count only with all others
  };
  struct Collecting {
    uint64_t counter = 0;
    PromiseCount count;
    bool handed_over = false;  // by the primary, which has promised
  };
  // A promise to another one that is not durable yet.
  struct Granted {
    uint64_t counter = 0;
    NodeId to;
  };

  bool HasCopy() const { return copy_ == CopyState::kComplete; }

  void On(const NodeId& from, const Heartbeat& heartbeat, TimePoint now);
  void On(const NodeId& from, const HeartbeatAnswer& answer, TimePoint now);
  void On(const NodeId& from, const Fenced& fenced, TimePoint now);
  void On(const NodeId& from, const Canvass& canvass, TimePoint now);
  void On(const NodeId& from, const WouldPromise& answer, TimePoint now);
  void On(const NodeId& from, const AskPromise& request, TimePoint now);
  void On(const NodeId& from, const Promise& promise, TimePoint now);
  void On(const NodeId& from, const Appoint& appoint, TimePoint now);
  void On(const NodeId& from, const HandOver& hand_over, TimePoint now);

  void TryToReplace(TimePoint now);
  Duration WaitForTurn() const;
  bool WouldPromiseTo(const NodeId& from, uint64_t counter, TimePoint now) const;
  void StartCanvass(uint64_t counter, TimePoint now);
  void CollectIfMajorityWould(TimePoint now);
  void StartCollecting(uint64_t counter, TimePoint now);
  void AppointIfMajorityPromised(TimePoint now);
  void TakeOffice(TimePoint now);
  void Follow(const Epoch& epoch, TimePoint now);
  void BeatHeart(TimePoint now);
  void Fence(const NodeId& from);
  void Store() { output_.emplace_back(Persist{state_}); }
  void SendTo(const NodeId& to, const FailoverMessage& message);
  void SendToOthers(const FailoverMessage& message);

  const NodeId self_;
  const std::vector<NodeId> holders_;
  const std::vector<NodeId> others_;
  const FailoverOptions options_;
  std::mt19937_64& random_;

  HolderState state_;
  CopyState copy_ = CopyState::kComplete;
  PrimaryLease lease_;
  PrimaryContact contact_;
  TimePoint next_heartbeat_;
  TimePoint next_canvass_;
  // When it is this holder's turn to try, having lost the primary that it heard last at `heard`.
  struct Turn {
    TimePoint heard;
    TimePoint at;
  };
  Turn turn_{kNever, kNever};
  uint64_t counter_seen_ = 0;  // the largest that anybody is known to have promised
  std::optional<Canvassing> canvassing_;
  std::optional<Collecting> collecting_;
  std::optional<Granted> granted_;
  std::optional<NodeId> handing_over_to_;
  std::vector<Output> output_;
};

}  // namespace engram::replication
