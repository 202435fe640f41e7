#include "engram/cluster/gossip_calls.h"

#include <utility>

#include "engram/base/error.h"
#include "engram/cluster/gossip_methods.h"

namespace engram::cluster {

NodeId GossipCalls::Stranger(std::string_view address) {
  return NodeId("at " + std::string(address));  // no node has a name with a space
}

template <class Request, class Reply>
void GossipCalls::Call(std::string_view method, const To& to, const Request& request,
                       TimePoint deadline, Done<Reply> done) {
  net::CallOptions options{deadline, {}};
  if (!cluster_id_.empty()) {
    options.metadata.Add(kMdCluster, cluster_id_, net::Recurrence::kRepeated);
  }
  auto take = [alive = std::weak_ptr<void>(alive_),
               done = std::move(done)](net::CallResult result) mutable {
    if (alive.expired()) return;
    if (!result.status.ok()) return done(result.status);
    Reply reply;
    if (!reply.ParseFromString(result.message)) {
      return done(MakeError(ErrorCode::kInternal, "the answer is malformed"));
    }
    done(std::move(reply));
  };
  pool_.Get(0, to.node, to.address)
      ->Unary(method, std::move(options), request.SerializeAsString(), std::move(take));
}

void GossipCalls::Join(const To& to, const peer::v1::JoinRequest& request, TimePoint deadline,
                       Done<peer::v1::JoinResponse> done) {
  Call(kJoinMethod, to, request, deadline, std::move(done));
}

void GossipCalls::Probe(const To& to, TimePoint deadline, Done<peer::v1::ProbeResponse> done) {
  Call(kProbeMethod, to, peer::v1::ProbeRequest(), deadline, std::move(done));
}

void GossipCalls::Exchange(const To& to, const peer::v1::ExchangeRequest& request,
                           TimePoint deadline, Done<peer::v1::ExchangeResponse> done) {
  Call(kExchangeMethod, to, request, deadline, std::move(done));
}

void GossipCalls::CompareRecords(const To& to, const peer::v1::CompareRecordsRequest& request,
                                 TimePoint deadline, Done<peer::v1::CompareRecordsResponse> done) {
  Call(kCompareMethod, to, request, deadline, std::move(done));
}

void GossipCalls::SettleRecords(const To& to, const peer::v1::SettleRecordsRequest& request,
                                TimePoint deadline, Done<peer::v1::SettleRecordsResponse> done) {
  Call(kSettleMethod, to, request, deadline, std::move(done));
}

}  // namespace engram::cluster
