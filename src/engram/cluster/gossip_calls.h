// What a control loop asks other nodes over RPC: engram.peer.v1.GossipService, the caller's side.
//
// Belongs to the control loop; used there alone. Answers come on it, exactly one for each call, and
// none after the object is gone.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/base/strong_id.h"
#include "engram/base/time.h"
#include "engram/net/connection_pool.h"
#include "engram/peer/v1/gossip.pb.h"

namespace engram::cluster {

class GossipCalls {
 public:
  // Of a node that is only known by its address, such as a seed: what it is called among the
  // connections.
  static NodeId Stranger(std::string_view address);

  // Where to.
  struct To {
    NodeId node;
    std::string address;
  };

  template <class Reply>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Reply>)>;

  // `pool` has one loop, on which all of this happens.
  explicit GossipCalls(net::ConnectionPool& pool) : pool_(pool) {}

  // From then on calls are marked with it.
  void SetClusterId(std::string_view id) { cluster_id_ = id; }

  void Join(const To& to, const peer::v1::JoinRequest& request, TimePoint deadline,
            Done<peer::v1::JoinResponse> done);
  void Probe(const To& to, TimePoint deadline, Done<peer::v1::ProbeResponse> done);
  void Exchange(const To& to, const peer::v1::ExchangeRequest& request, TimePoint deadline,
                Done<peer::v1::ExchangeResponse> done);
  void CompareRecords(const To& to, const peer::v1::CompareRecordsRequest& request,
                      TimePoint deadline, Done<peer::v1::CompareRecordsResponse> done);
  void SettleRecords(const To& to, const peer::v1::SettleRecordsRequest& request,
                     TimePoint deadline, Done<peer::v1::SettleRecordsResponse> done);

  // Ends the connections to it, and their calls.
  void Forget(const NodeId& node) { pool_.Remove(node); }

 private:
  template <class Request, class Reply>
  void Call(std::string_view method, const To& to, const Request& request, TimePoint deadline,
            Done<Reply> done);

  net::ConnectionPool& pool_;
  std::string cluster_id_;
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace engram::cluster
