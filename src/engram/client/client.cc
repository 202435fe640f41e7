#include "engram/client/client.h"

#include <fmt/format.h>

#include <utility>

#include "engram/client/batch_sender.h"
#include "engram/client/client_impl.h"

namespace engram::client {

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  if (options.nodes.empty()) return InvalidArgument("node", "at least one node is needed");
  auto channel_options = ChannelOptionsOf(options);
  if (!channel_options.ok()) return channel_options.status();
  auto impl = std::make_unique<Impl>();
  impl->channel_options = *std::move(channel_options);
  for (const std::string& address : options.nodes) {
    auto node = impl->MakeNode(address);
    if (!node.ok()) return node.status();
    impl->nodes.push_back(*std::move(node));
  }
  impl->options = std::move(options);
  impl->loop.Start();
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Client::~Client() {
  impl_->Close(std::exchange(impl_->nodes, {}));
  impl_->loop.Stop();
}

absl::StatusOr<Answer<v1::StoreResponse>> Client::Store(const v1::StoreRequest& request,
                                                        const Ask& ask) {
  return impl_->Unary<v1::StoreResponse>(fmt::format("{}Store", kService), request, Writes::kYes,
                                         ask);
}

absl::StatusOr<Answer<v1::RecallResponse>> Client::Recall(const v1::RecallRequest& request,
                                                          const Ask& ask) {
  return impl_->Unary<v1::RecallResponse>(fmt::format("{}Recall", kService), request, Writes::kNo,
                                          ask);
}

absl::StatusOr<Answer<v1::RecallResponse>> Client::RecallMany(const v1::RecallManyRequest& request,
                                                              const Ask& ask) {
  return impl_->Unary<v1::RecallResponse>(fmt::format("{}RecallMany", kService), request,
                                          Writes::kNo, ask);
}

absl::StatusOr<Answer<v1::GetResponse>> Client::Get(const v1::GetRequest& request, const Ask& ask) {
  return impl_->Unary<v1::GetResponse>(fmt::format("{}Get", kService), request, Writes::kNo, ask);
}

absl::StatusOr<Answer<v1::ForgetResponse>> Client::Forget(const v1::ForgetRequest& request,
                                                          const Ask& ask) {
  return impl_->Unary<v1::ForgetResponse>(fmt::format("{}Forget", kService), request, Writes::kYes,
                                          ask);
}

absl::StatusOr<Answer<v1::LinkResponse>> Client::Link(const v1::LinkRequest& request,
                                                      const Ask& ask) {
  return impl_->Unary<v1::LinkResponse>(fmt::format("{}Link", kService), request, Writes::kYes,
                                        ask);
}

absl::StatusOr<Answer<v1::ListSpacesResponse>> Client::ListSpaces(
    const v1::ListSpacesRequest& request) {
  return impl_->Unary<v1::ListSpacesResponse>("/engram.v1.SpacesService/ListSpaces", request,
                                              Writes::kNo, {});
}

absl::StatusOr<Answer<v1::ListNodesResponse>> Client::ListNodes(
    const v1::ListNodesRequest& request) {
  return impl_->Unary<v1::ListNodesResponse>("/engram.v1.ClusterService/ListNodes", request,
                                             Writes::kNo, {});
}

absl::StatusOr<Answer<v1::GetStatusResponse>> Client::GetStatus(
    const v1::GetStatusRequest& request) {
  return impl_->Unary<v1::GetStatusResponse>("/engram.v1.ClusterService/GetStatus", request,
                                             Writes::kNo, {});
}

absl::StatusOr<Answer<v1::ResolveRouteResponse>> Client::ResolveRoute(
    const v1::ResolveRouteRequest& request) {
  return impl_->Unary<v1::ResolveRouteResponse>("/engram.v1.ClusterService/ResolveRoute", request,
                                                Writes::kNo, {});
}

absl::StatusOr<Answer<v1::RemoveNodeResponse>> Client::RemoveNode(
    const v1::RemoveNodeRequest& request) {
  return impl_->Unary<v1::RemoveNodeResponse>("/engram.v1.ClusterService/RemoveNode", request,
                                              Writes::kNo, {});
}

absl::StatusOr<Answer<v1::MoveSpaceResponse>> Client::MoveSpace(
    const v1::MoveSpaceRequest& request) {
  return impl_->Unary<v1::MoveSpaceResponse>("/engram.v1.ClusterService/MoveSpace", request,
                                             Writes::kNo, {});
}

absl::StatusOr<Answer<v1::StoreStreamResponse>> Client::StoreAll(
    const std::vector<v1::StoreRequest>& requests) {
  net::CallResult result = impl_->AnyNode(
      impl_->nodes, impl_->NewCall(Writes::kYes, Explain::kNo), Writes::kYes,
      [&](net::Channel& channel, net::CallOptions call, net::Channel::Done done) {
        std::make_shared<BatchSender>(requests, std::move(done))->Start(channel, std::move(call));
      });
  auto answer = ToAnswer<v1::StoreStreamResponse>(std::move(result));
  if (!answer.ok()) return answer;
  for (const v1::StreamShare& share : answer->message.shares()) {
    impl_->sessions.Met(share.space(), VersionOf(share.version()));
  }
  return answer;
}

}  // namespace engram::client
