// The control plane of one node: finds the cluster, knows who is in it, spreads who holds what, and
// notices when the node is cut off. Drives the pure machines of membership/ with a UDP socket,
// timers and RPC, and publishes what requests read.
//
// All of it runs on one event loop of its own, the control loop, so that nothing here is locked and
// no load of requests delays it.
//
// Thread-safety: Load(), Start() and Leave() by the thread that owns it, which is no loop's; what
// says "any thread", from any; the rest on the control loop. The loop must run from before Start()
// until it has been stopped, which is before this is destroyed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "engram/cluster/ask_log.h"
#include "engram/cluster/assignment_gossip.h"
#include "engram/cluster/cluster_store.h"
#include "engram/cluster/directory.h"
#include "engram/cluster/gossip_calls.h"
#include "engram/cluster/journal.h"
#include "engram/cluster/seeds.h"
#include "engram/membership/joiner.h"
#include "engram/membership/partition_detector.h"
#include "engram/membership/swim.h"
#include "engram/net/connection_pool.h"
#include "engram/net/event_loop.h"
#include "engram/net/udp_socket.h"
#include "engram/peer/v1/gossip.pb.h"
#include "engram/routing/reachability.h"
#include "engram/routing/routing_table.h"

namespace engram::cluster {

struct ControlOptions {
  NodeId node;
  std::string cluster_name;
  std::string gossip_listen;    // host:port, UDP
  membership::MemberInfo info;  // what others are told of this node
  SeedsOptions seeds;
  bool bootstrap = false;
  WallMillis started{};  // by the wall clock; the id of a cluster that is founded begins with it
  membership::SwimOptions swim;
  membership::PartitionOptions partition;
};

// What it works on; all of it outlives it.
struct ControlPorts {
  net::EventLoop& loop;
  net::ConnectionPool& calls;     // of the control loop alone
  net::ConnectionPool& requests;  // those of other loops: connections to the dead are closed
  routing::NodeTable& nodes;
  routing::RoutingTable& table;
  routing::ReachabilityCell& reachability;
  Directory& directory;
  ClusterStore& store;
};

class ControlPlane {
 public:
  ControlPlane(ControlOptions options, const ControlPorts& ports, uint64_t seed);
  ~ControlPlane();

  // Called on the control loop, each at most once; to be set before Start(). The node is a member
  // now; it was refused, and the status says by whom and why.
  void OnMember(absl::AnyInvocable<void()> callback) { on_member_ = std::move(callback); }
  void OnRefused(absl::AnyInvocable<void(absl::Status)> callback) {
    on_refused_ = std::move(callback);
  }

  // Reads what is stored: from then on others can be answered. REQUIRES: called once, before
  // anybody can ask, and before Start().
  [[nodiscard]] absl::Status Load();

  // Binds the socket, begins to look for the cluster. A node that founds one, or was alone in it,
  // is a member when this returns.
  [[nodiscard]] absl::Status Start();

  // Tells the others that the node goes; returns when they know, or at `deadline`.
  void Leave(TimePoint deadline);

  // An operator's word that a dead member will not come back. Any thread; `done` on the control
  // loop.
  void Remove(const NodeId& node, absl::AnyInvocable<void(absl::Status)> done);

  // The other nodes' questions (gossip_service.h); `done` may be called at once.
  template <class Reply>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Reply>)>;
  void Serve(const peer::v1::JoinRequest& request, Done<peer::v1::JoinResponse> done);
  void Serve(const peer::v1::ProbeRequest& request, Done<peer::v1::ProbeResponse> done);
  void Serve(const peer::v1::ExchangeRequest& request, Done<peer::v1::ExchangeResponse> done);
  void Serve(const peer::v1::CompareRecordsRequest& request,
             Done<peer::v1::CompareRecordsResponse> done);
  void Serve(const peer::v1::SettleRecordsRequest& request,
             Done<peer::v1::SettleRecordsResponse> done);

  // This node has made or changed an assignment, and the table has it: the others are told, and it
  // is kept. Any thread.
  void Announce(std::vector<placement::Assignment> changed);

  net::EventLoop& loop() { return ports_.loop; }
  const Directory& directory() const { return ports_.directory; }

 private:
  using Swim = membership::Swim;
  using Joiner = membership::Joiner;

  [[nodiscard]] absl::Status Begin();
  void OnSeedsChanged();
  void UseClusterId(const std::string& id);
  // This node is a member of the cluster from now on; `state` is what is known of the others. If it
  // cannot be, nothing has changed.
  [[nodiscard]] absl::Status BeginMembership(const std::string& cluster_id, std::string_view state);
  // The same for a node that was in no cluster before; refused if it cannot be.
  [[nodiscard]] bool BecomeMember(const std::string& cluster_id, const std::string& state);
  void InContact();

  void OnDatagram(std::string_view bytes, const std::string& from);
  void OnTimer();
  // Carries out what the machines ask for, and publishes what has changed.
  void Settle();
  void SettleJoiner();
  void Arm();

  void Do(const Swim::Send& send);
  void Do(const Swim::StartFallback& fallback);
  void Do(const Swim::StartExchange& exchange);
  void Do(const Swim::Changed& changed);
  void Do(const Swim::NewIncarnation& next);
  void Do(const Joiner::Ask& ask);
  void Do(const Joiner::Joined& joined);
  void Do(const Joiner::Found& found);
  void Do(const Joiner::Refused& refused);

  void Ask(const std::string& address, GossipCalls::Done<peer::v1::JoinResponse> done);
  // Tells the operator, if it is news, that and why an address gives no answer.
  void Tell(const std::string& address, const absl::Status& answer);
  void AskStrangers();
  void OnStranger(const std::string& address, const absl::StatusOr<peer::v1::JoinResponse>& reply);
  void Exchange(const GossipCalls::To& to);
  void DialBack(const peer::v1::JoinRequest& request, Done<peer::v1::JoinResponse> done);
  void OnDialledBack(const std::string& address,
                     const absl::StatusOr<peer::v1::ProbeResponse>& reply);
  [[nodiscard]] absl::Status CheckJoin(const peer::v1::JoinRequest& request) const;
  peer::v1::JoinResponse JoinAnswer() const;
  std::vector<std::string> AddressesToAsk() const;

  void SpreadNews();
  void TellBeforeLeaving();
  void Follow(TimePoint now);
  void Publish(TimePoint now);
  void SaveMembers();
  membership::Reach ReachAt(TimePoint now) const;

  // Who waits until it is known whether an address can be dialled.
  struct Joining {
    NodeId node;
    Done<peer::v1::JoinResponse> done;
  };

  const ControlOptions options_;
  const ControlPorts ports_;
  std::mt19937_64 random_;
  const uint64_t life_;  // tells this process from any other
  absl::AnyInvocable<void()> on_member_;
  absl::AnyInvocable<void(absl::Status)> on_refused_;

  GossipCalls calls_;
  std::unique_ptr<net::UdpSocket> socket_;
  std::unique_ptr<Seeds> seeds_;
  StoredCluster stored_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<AssignmentGossip> gossip_;
  std::optional<Joiner> joiner_;
  std::map<std::string, std::vector<Joining>> dialled_back_;  // by address
  uint64_t dial_backs_ = 0;                                   // so far
  AskLog ask_log_;
  std::optional<Swim> swim_;  // there once the node belongs to a cluster
  membership::PartitionDetector detector_;
  net::EventLoop::Timer timer_;
  net::EventLoop::Timer timer_of_leaving_;
  TimePoint armed_ = kNever;
  bool in_contact_ = false;      // another member has answered in this life, or there is none
  bool members_changed_ = true;  // since they were published
  membership::Reach published_reach_{0, 0};
  TimePoint reap_at_ = kNever;  // the list that is published is too long then
  TimePoint save_members_at_ = kNever;
  size_t saved_total_ = 0;  // members
  absl::AnyInvocable<void()> on_left_;
};

}  // namespace engram::cluster
