// Who is there: SWIM (Das, Gupta, Motivala, 2002) with Lifeguard (Dadgar, Phillips, Currey, 2018),
// as a machine. It is fed with datagrams, results and time, and says what to send, whom to call and
// what has changed.
//
//   each period   Ping one member ──ack──▶ well
//                  └─ no ack: ask others to ping it, and try it over RPC ──ack──▶ well
//                      └─ nothing until the period ends: Suspect, told to everybody
//   Suspect       ├─ it contradicts, with a larger incarnation: Alive
//                 └─ its time is over: Dead; probed rarely, in case it comes back
//   news          rides on every datagram, and on datagrams of its own while it is young
//   full state    is exchanged with one member every 30 s, for what news has missed
//
// What is believed is settled by Standing alone (member.h), so that no order of events matters.
// Two rules are ours. Accusations by a member that is held dead are not heeded: it has been out of
// touch. And if a timer comes late, this node did not run, and the time does not count against
// anybody.
//
// A datagram may come from anybody; nothing in it is believed beyond what a member may say, and all
// that is kept because of it is bounded.
//
// Owned by its driver. Pure; not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "engram/membership/awareness.h"
#include "engram/membership/broadcast_queue.h"
#include "engram/membership/datagram.h"
#include "engram/membership/member_table.h"
#include "engram/membership/probe.h"
#include "engram/membership/probe_order.h"
#include "engram/membership/relays.h"
#include "engram/membership/rider.h"
#include "engram/membership/suspicion.h"
#include "engram/membership/swim_options.h"

namespace engram::membership {

// This node itself.
struct Self {
  NodeId id;
  Incarnation incarnation{};  // larger than any it had in an earlier life
  MemberInfo info;
  ClusterTag cluster{};
};

// How much of the cluster is reached, this node included (SPEC R12).
struct Reach {
  size_t reachable = 1;
  size_t total = 1;

  friend bool operator==(const Reach&, const Reach&) = default;
};

struct SwimCounters {
  std::array<uint64_t, kVerdictCount> datagrams{};  // received, by verdict
  uint64_t misdirected = 0;                         // meant for another node, or for a moment ago
  uint64_t sent = 0;
  uint64_t sent_bytes = 0;
  uint64_t probes = 0;
  uint64_t probes_failed = 0;
  uint64_t reached_by_rpc_only = 0;  // UDP to or from that member does not work
  uint64_t refutations = 0;
  uint64_t accusations_ignored = 0;  // by members that are held dead, or unknown
  uint64_t relays_refused = 0;       // for members that are not known, or too many at once
  uint64_t conflicts = 0;            // two nodes go by one id
  uint64_t pauses = 0;               // this node did not run for a while
};

class Swim {
 public:
  struct Send {
    std::string address;
    std::string datagram;
  };
  // Try to reach the member over RPC, and tell OnFallback() if it worked before the deadline.
  struct StartFallback {
    uint32_t sequence = 0;
    NodeId target;
    std::string rpc_address;
    TimePoint deadline;
  };
  // Send the member FullStateBytes(), and give what it answers to MergeFullState().
  struct StartExchange {
    NodeId with;
    std::string rpc_address;
  };
  // To be logged, and acted upon.
  struct Changed {
    Change change = Change::kNone;
    Member member;
  };
  // To be stored: the next life begins above it.
  struct NewIncarnation {
    Incarnation incarnation{};
  };
  using Output = std::variant<Send, StartFallback, StartExchange, Changed, NewIncarnation>;

  // `random` and `rider`, which may be null, must outlive the machine. REQUIRES: Check(options) is
  // OK.
  Swim(Self self, const SwimOptions& options, std::mt19937_64& random, TimePoint now,
       Rider* rider = nullptr);

  // `from`: where it came from, for the answer. If datagrams wait and a timer is due, feed the
  // datagrams first.
  void OnDatagram(std::string_view bytes, const std::string& from, TimePoint now);
  void OnFallback(uint32_t sequence, TimePoint now);  // it reached the member
  void Tick(TimePoint now);
  // When Tick is wanted next.
  TimePoint NextWake() const;

  // The rider has news of this node's own.
  void SpreadRider(TimePoint now);

  // All that is known, for a member to merge; also what is to be stored, so that the total of a
  // majority outlives a restart.
  std::string FullStateBytes() const;
  // What another node sent, or what was stored. InvalidArgument if it cannot be read.
  [[nodiscard]] absl::Status MergeFullState(std::string_view bytes, TimePoint now);

  // Tells everybody that this node goes, of its own will. Feed it on until HasLeft(), or as long as
  // can be waited.
  void Leave(TimePoint now);
  bool HasLeft() const { return leaving_ && queue_.empty(); }
  // An operator's word that a dead member will not come back: it is no longer counted.
  // InvalidArgument if it is not dead.
  [[nodiscard]] absl::Status Remove(const NodeId& id, TimePoint now);

  std::vector<Output> TakeOutput();

  const MemberTable& members() const { return table_; }
  Reach ReachAt(TimePoint now) const;
  Incarnation incarnation() const { return self_.incarnation; }
  int awareness() const { return awareness_.score(); }
  const SwimCounters& counters() const { return counters_; }

 private:
  // swim.cc: what comes in, and what is due.
  void On(const Ping& ping, const NodeId& sender, const std::string& from, TimePoint now);
  void On(const Ack& ack, const NodeId& sender, const std::string& from, TimePoint now);
  void On(const PingRequest& request, const NodeId& sender, const std::string& from, TimePoint now);
  void On(const Nack& nack, const NodeId& sender, const std::string& from, TimePoint now);
  void On(const Gossip&, const NodeId&, const std::string&, TimePoint) {}
  void On(const FullState&, const NodeId&, const std::string&, TimePoint) {}
  void NoticePause(TimePoint now);
  void Hear(const NodeId& member, TimePoint now);
  void Work(TimePoint now);
  void StartProbe(TimePoint now);
  void ProbeIndirectly(TimePoint now);
  void EndProbe(TimePoint now);
  void SendNacks(TimePoint now);
  void GossipNow(TimePoint now);
  void ProbeDead(TimePoint now);
  void ExchangeWithOne(TimePoint now);
  void ScheduleHealing(TimePoint now);

  // swim_updates.cc: what is believed.
  void TakeAll(std::vector<Update> updates, const NodeId& sender, TimePoint now);
  void Take(const Update& update, const NodeId& sender, TimePoint now);
  void TakeAboutSelf(const Update& update, TimePoint now);
  void FollowChange(Change change, const Member& member, const Update& update, TimePoint now);
  void Suspect(const Member& member, const std::vector<NodeId>& accusers, TimePoint now);
  void Confirm(const Update& update);
  void DeclareDead(TimePoint now);
  void CameBack(const Member& member, const NodeId& sender, TimePoint now);
  void Refute(Incarnation above, TimePoint now);
  void Soften(Update& update, const NodeId& sender) const;
  Update UpdateOf(const Member& member) const;
  void Spread(const Member& member, TimePoint now);
  bool MayAccuse(const NodeId& sender) const;

  // swim_send.cc
  void AppendRider(std::string& datagram);
  void HearRider(std::string_view news, TimePoint now);
  bool HasNews() const { return !queue_.empty() || (rider_ != nullptr && rider_->HasNews()); }
  void SendTo(const NodeId& to, const std::string& address, const Message& message);
  // At most `count` different ones of those that are `wanted`, at random; this node never.
  std::vector<const Member*> Pick(size_t count, absl::FunctionRef<bool(const Member&)> wanted);
  Duration UpTo(Duration max);

  const SwimOptions options_;
  Self self_;
  std::mt19937_64& random_;
  Rider* const rider_;
  MemberTable table_;
  ProbeOrder order_;
  Awareness awareness_;
  BroadcastQueue queue_;
  Relays relays_;
  std::map<NodeId, Suspicion> suspicions_;
  std::optional<Probe> probe_;
  SwimCounters counters_;
  std::vector<Output> outputs_;

  uint32_t sequence_ = 0;
  bool leaving_ = false;
  bool quiet_ = false;                      // what is learnt is no news to others
  bool introduce_ = false;                  // whoever is answered has an old word of this node
  bool failed_since_heard_ = false;         // a probe
  TimePoint heard_at_;                      // from anybody
  std::map<NodeId, TimePoint> unanswered_;  // who left a failed probe unanswered, and when

  TimePoint probe_ends_;
  TimePoint suspicion_due_ = kNever;  // the earliest, or before it
  TimePoint gossip_at_ = kNever;
  TimePoint heal_at_;
  TimePoint exchange_at_;
  TimePoint exchanged_at_;
  std::optional<NodeId> came_back_;  // the next one to exchange states with
  TimePoint wake_ = kNever;          // what NextWake() said last
};

}  // namespace engram::membership
