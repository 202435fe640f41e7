// Client::Consolidate: the one request that is not passed on by the node that gets it.
#include <algorithm>
#include <map>
#include <utility>

#include "engram/client/client.h"
#include "engram/client/client_impl.h"
#include "engram/client/part_reader.h"
#include "engram/net/grpc_status.h"

namespace engram::client {
namespace {

// By whom a node says that the space is held, the primary first.
std::vector<std::string> HoldersIn(const absl::Status& status) {
  if (CodeOf(status) != ErrorCode::kNoLocalData) return {};
  auto payload = status.GetPayload(net::kAssignmentPayload);
  v1::Assignment assignment;
  if (!payload.has_value() || !assignment.ParseFromString(std::string(*payload))) return {};
  std::vector<std::string> holders;
  if (!assignment.primary().empty()) holders.push_back(assignment.primary());
  holders.insert(holders.end(), assignment.replicas().begin(), assignment.replicas().end());
  return holders;
}

// The last message has them, or the answer makes no sense.
absl::StatusOr<Answer<v1::ConsolidateTotals>> TotalsOf(net::CallResult result) {
  auto last = ToAnswer<v1::ConsolidateResponse>(std::move(result));
  if (!last.ok()) return last.status();
  if (!last->message.has_totals()) {
    return MakeError(ErrorCode::kInternal, "the node's answer ends without its totals");
  }
  Answer<v1::ConsolidateTotals> answer;
  answer.message = std::move(*last->message.mutable_totals());
  answer.served_by = std::move(last->served_by);
  answer.degraded = last->degraded;
  return answer;
}

}  // namespace

absl::StatusOr<Client::Impl::Nodes> Client::Impl::NodesOf(const std::vector<std::string>& ids) {
  auto listed = Unary<v1::ListNodesResponse>("/engram.v1.ClusterService/ListNodes",
                                             v1::ListNodesRequest(), Writes::kNo, {});
  if (!listed.ok()) return listed.status();
  std::map<std::string, std::string> addresses;
  for (const v1::NodeInfo& node : listed->message.nodes()) addresses[node.id()] = node.address();
  Nodes found;
  for (const std::string& id : ids) {
    auto node = MakeNode(addresses[id]);
    if (node.ok()) found.push_back(*std::move(node));
  }
  return found;
}

absl::StatusOr<Answer<v1::ConsolidateTotals>> Client::Consolidate(
    const v1::ConsolidateRequest& request, OnPart on_part, const Ask& ask) {
  const Writes writes = request.dry_run() ? Writes::kNo : Writes::kYes;
  const net::CallOptions call = impl_->NewCall(writes, ask);
  const std::string body = request.SerializeAsString();
  auto send = [&](net::Channel& channel, net::CallOptions options, net::Channel::Done done) {
    auto read = [on_part](const std::string& bytes) {
      v1::ConsolidateResponse part;
      if (part.ParseFromString(bytes)) on_part(part);
    };
    std::make_shared<PartReader>(read, std::move(done))
        ->Start(channel, "/engram.v1.MemoryService/Consolidate", std::move(options), body);
  };
  net::CallResult result = impl_->AnyNode(impl_->nodes, call, writes, send);
  if (const auto holders = HoldersIn(result.status); !holders.empty()) {
    auto nodes = impl_->NodesOf(holders);
    if (nodes.ok() && !nodes->empty()) {
      result = impl_->AnyNode(*nodes, call, writes, send);
      impl_->Close(*std::move(nodes));
    }
  }
  auto answer = TotalsOf(std::move(result));
  if (answer.ok() && answer->message.has_version()) {
    impl_->sessions.Met(request.space(), VersionOf(answer->message.version()));
  }
  return answer;
}

}  // namespace engram::client
