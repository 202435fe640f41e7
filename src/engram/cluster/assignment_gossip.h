// Spreads who holds what (SPEC C3): news rides on membership's datagrams, and comparisons with one
// node at a time find what news has missed. Drives membership/record_gossip.h over RPC, on the
// routing table itself, and has what is learnt written to disk.
//
// Belongs to the control loop; used there alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/cluster/assignment_records.h"
#include "engram/cluster/cluster_view.h"
#include "engram/cluster/gossip_calls.h"
#include "engram/cluster/journal.h"
#include "engram/membership/record_gossip.h"
#include "engram/peer/v1/gossip.pb.h"

namespace engram::cluster {

class AssignmentGossip {
 public:
  // All must outlive it. `has_news` is called when there is something to be sent with datagrams.
  AssignmentGossip(routing::RoutingTable& table, const routing::NodeTable& nodes,
                   GossipCalls& calls, Journal& journal, absl::AnyInvocable<void()> has_news);

  // Of the membership's datagrams.
  membership::Rider& rider() { return gossip_; }
  // To be called when datagrams have been heard: what they brought is to be kept.
  void KeepLearnt();

  // This node has made or changed it; it is in the table already.
  void Announce(const placement::Assignment& assignment);

  // Compares all that both know, and makes it equal; several rounds if it is much, each call of
  // which may take `limit`. `done` is called when it is over, however that was; never at once.
  using Done = absl::AnyInvocable<void(absl::Status)>;
  void CompareWith(const GossipCalls::To& to, Duration limit, Done done);

  absl::StatusOr<peer::v1::CompareRecordsResponse> Serve(
      const peer::v1::CompareRecordsRequest& request);
  absl::StatusOr<peer::v1::SettleRecordsResponse> Serve(
      const peer::v1::SettleRecordsRequest& request);

  // All but those of the machine.
  ControlCounters counters() const;

 private:
  struct Comparison {
    GossipCalls::To with;
    Duration limit;
    int rounds;
    Done done;
  };
  void Compare(Comparison comparison);
  void Settle(Comparison comparison, const std::string& versions);
  void Learnt();
  void End(Comparison& comparison, const absl::Status& status);

  GossipCalls& calls_;
  Journal& journal_;
  absl::AnyInvocable<void()> has_news_;
  AssignmentRecords records_;
  membership::RecordGossip gossip_;
  uint64_t comparisons_ = 0;
  uint64_t comparisons_failed_ = 0;
};

}  // namespace engram::cluster
