#include "engram/cluster/gossip_service.h"

#include <memory>
#include <utility>

#include "engram/base/error.h"
#include "engram/cluster/gossip_methods.h"
#include "engram/cluster/sender_check.h"

namespace engram::cluster {
namespace {

enum class Sender : uint8_t { kAnybody, kMember };

template <class Request, class Reply>
void Add(net::Server& server, ControlPlane& control, std::string_view method, Sender sender) {
  server.AddUnary(method, [&control, sender](net::ServerCall call, const std::string& body) {
    absl::Status status =
        sender == Sender::kMember ? CheckSender(control.directory(), call) : absl::OkStatus();
    if (!status.ok()) return call.Reply(status);
    Request request;
    if (!request.ParseFromString(body)) {
      return call.Reply(InvalidArgument("message", "the bytes are not a valid message"));
    }
    control.loop().Post([&control, request = std::move(request), call = std::move(call)]() mutable {
      control.Serve(request, [call = std::move(call)](absl::StatusOr<Reply> reply) mutable {
        if (!reply.ok()) return call.Reply(reply.status());
        call.Reply(reply->SerializeAsString());
      });
    });
  });
}

}  // namespace

void AddGossipService(net::Server& server, ControlPlane& control) {
  namespace proto = peer::v1;
  Add<proto::JoinRequest, proto::JoinResponse>(server, control, kJoinMethod, Sender::kAnybody);
  Add<proto::ProbeRequest, proto::ProbeResponse>(server, control, kProbeMethod, Sender::kAnybody);
  Add<proto::ExchangeRequest, proto::ExchangeResponse>(server, control, kExchangeMethod,
                                                       Sender::kMember);
  Add<proto::CompareRecordsRequest, proto::CompareRecordsResponse>(server, control, kCompareMethod,
                                                                   Sender::kMember);
  Add<proto::SettleRecordsRequest, proto::SettleRecordsResponse>(server, control, kSettleMethod,
                                                                 Sender::kMember);
}

}  // namespace engram::cluster
