#include "engram/client/client.h"

#include <fmt/format.h>

#include <future>
#include <optional>
#include <random>
#include <type_traits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "engram/base/error.h"
#include "engram/base/session_token.h"
#include "engram/client/batch_sender.h"
#include "engram/client/sessions.h"
#include "engram/net/channel.h"
#include "engram/net/endpoint.h"
#include "engram/net/event_loop.h"
#include "engram/net/grpc_status.h"

namespace engram::client {
namespace {

constexpr std::string_view kService = "/engram.v1.MemoryService/";
constexpr char kTlsDoubtPayload[] = "engram/tls-doubt";     // marks statuses of MayDisagreeOnTls()
constexpr char kUnansweredPayload[] = "engram/unanswered";  // marks statuses of NobodyAnswered()

TimePoint Now() { return std::chrono::steady_clock::now(); }

WallMillis WallNow() {
  auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return WallMillis{std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()};
}

enum class Writes : uint8_t { kNo, kYes };

// The node may have carried the call out, without our knowing.
bool MaybeDone(const net::CallResult& result) {
  return !result.status.ok() && (result.delivery == net::Delivery::kUndetermined ||
                                 CodeOf(result.status) == ErrorCode::kUndetermined);
}

// Another node may do better: this one was not reached, or did not say how it ended (which a
// request id, or reading, makes safe to ask again).
bool TryNextNode(const net::CallResult& result) {
  if (result.status.ok() || CodeOf(result.status) == ErrorCode::kDeadlineExceeded) return false;
  return result.delivery == net::Delivery::kNotSent || MaybeDone(result);
}

// What a call came to at the nodes that were asked, one after the other.
struct Tries {
  std::string told;             // by each of them
  bool maybe_done = false;      // one of them may have carried the write out
  bool not_understood = false;  // one of them did not speak HTTP/2

  void Add(const std::string& node, const net::CallResult& result, Writes writes) {
    maybe_done = maybe_done || (writes == Writes::kYes && MaybeDone(result));
    not_understood = not_understood || net::WasNotUnderstood(result.status);
    std::string message(result.status.message());
    const bool named = message.find(node) != std::string::npos;
    told += (told.empty() ? "" : "; ") + (named ? message : node + ": " + message);
  }
};

absl::Status Unanswered(ErrorCode code, const std::string& message) {
  absl::Status status = MakeError(code, message);
  status.SetPayload(kUnansweredPayload, absl::Cord());
  return status;
}

// How the call ended, in the light of all tries; `last` is the last one's result.
absl::Status StatusAfter(const Tries& tries, const net::CallResult& last) {
  const ErrorCode code = CodeOf(last.status);
  // An error of the last node does not make undone what an earlier one may have done.
  if (tries.maybe_done && code != ErrorCode::kUndetermined) {
    return MakeError(ErrorCode::kUndetermined,
                     "the write may have been carried out: " + tries.told);
  }
  if (last.delivery == net::Delivery::kNotSent) {
    absl::Status status =
        Unanswered(ErrorCode::kConnectionFailed, "no node could be reached: " + tries.told);
    if (tries.not_understood) status.SetPayload(kTlsDoubtPayload, absl::Cord());
    return status;
  }
  if (last.delivery == net::Delivery::kUndetermined && code == ErrorCode::kDeadlineExceeded) {
    return Unanswered(code, "no node answered in time: " + tries.told);
  }
  return last.status;
}

// The route that a failed request was asked to explain, as AttemptsOf() finds it.
absl::Status WithRoute(const net::CallResult& result) {
  absl::Status status = result.status;
  auto route = result.trailing.Find("engram-route-bin");
  if (route.has_value()) status.SetPayload(net::kAttemptsPayload, absl::Cord(std::string(*route)));
  return status;
}

template <class Message>
absl::StatusOr<Answer<Message>> ToAnswer(net::CallResult result) {
  if (!result.status.ok()) return WithRoute(result);
  Answer<Message> answer;
  if (!answer.message.ParseFromString(result.message)) {
    return MakeError(ErrorCode::kInternal, "the node's answer is not what this client understands");
  }
  answer.served_by = result.trailing.Find("engram-served-by").value_or("");
  answer.session = result.trailing.Find("engram-session").value_or("");
  answer.degraded = result.trailing.Find("engram-degraded").has_value();
  v1::RouteTrace trace;
  if (auto bytes = result.trailing.Find("engram-route-bin");
      bytes && trace.ParseFromString(std::string(*bytes))) {
    answer.route.assign(trace.attempts().begin(), trace.attempts().end());
  }
  return answer;
}

absl::StatusOr<net::ChannelOptions> ChannelOptionsOf(const ClientOptions& options) {
  net::ChannelOptions channel;
  channel.connect_timeout = options.connect_timeout;
  if (!options.tls.has_value()) return channel;
  net::TlsOptions tls;
  tls.ca_file = options.tls->ca_file;
  tls.certificate_file = options.tls->certificate_file;
  tls.key_file = options.tls->key_file;
  tls.expected_name = options.tls->expected_name;
  auto context = net::TlsContext::Create(net::TlsContext::Side::kChannel, std::move(tls));
  if (!context.ok()) return context.status();
  channel.tls = *std::move(context);
  return channel;
}

// What an answer tells of its space.
template <class Reply>
concept HasVersion = requires(const Reply& reply) {
  reply.version();
};
// Of MemoryService: such answers are what a session is made of.
template <class Request>
concept OfOneSpace =
    !std::is_same_v<Request, v1::ResolveRouteRequest> &&
    !std::is_same_v<Request, v1::MoveSpaceRequest> && requires(const Request& request) {
  request.space();
};

Version VersionOf(const v1::Version& proto) {
  return {{proto.epoch().counter(), NodeId(proto.epoch().primary())}, proto.sequence()};
}

}  // namespace

std::vector<v1::Attempt> AttemptsOf(const absl::Status& status) {
  v1::RouteTrace trace;
  auto payload = status.GetPayload(net::kAttemptsPayload);
  if (!payload.has_value() || !trace.ParseFromString(std::string(*payload))) return {};
  return {trace.attempts().begin(), trace.attempts().end()};
}

RequestId NewRequestId() {
  std::random_device device;
  std::mt19937_64 random((uint64_t{device()} << 32) | device());
  return RequestId::Make(WallNow(), random);
}

bool NobodyAnswered(const absl::Status& status) {
  return status.GetPayload(kUnansweredPayload).has_value();
}

bool MayDisagreeOnTls(const absl::Status& status) {
  return status.GetPayload(kTlsDoubtPayload).has_value();
}

struct Client::Impl {
  using Send = absl::FunctionRef<void(net::Channel&, net::CallOptions, net::Channel::Done)>;

  ClientOptions options;
  net::EventLoop loop;
  std::vector<std::shared_ptr<net::Channel>> channels;  // one per node, used on the loop
  Sessions sessions;

  net::CallResult OneNode(size_t node, const net::CallOptions& call, Send send);
  net::CallResult AnyNode(const net::CallOptions& call, Writes writes, Send send);
  net::CallOptions NewCall(Writes writes, const Ask& ask) const;

  template <class Reply, class Request>
  absl::StatusOr<Answer<Reply>> Unary(const std::string& method, const Request& request,
                                      Writes writes, const Ask& ask) {
    std::string body = request.SerializeAsString();
    auto answer = ToAnswer<Reply>(
        AnyNode(NewCall(writes, AskInSession(request, writes, ask)), writes,
                [&](net::Channel& channel, net::CallOptions call, net::Channel::Done done) {
                  channel.Unary(method, std::move(call), body, std::move(done));
                }));
    if (answer.ok()) Remember(request, *answer);
    return answer;
  }

  template <class Request>
  Ask AskInSession(const Request& request, Writes writes, Ask ask) const {
    if (!ask.session.empty() || !options.session || writes == Writes::kYes) return ask;
    if constexpr (std::is_same_v<Request, v1::RecallManyRequest>) {
      ask.session = sessions.TokensOf(request.spaces());
    } else if constexpr (OfOneSpace<Request>) {
      ask.session = sessions.TokenOf(request.space());
    }
    return ask;
  }

  template <class Request, class Reply>
  void Remember(const Request& request, const Answer<Reply>& answer) {
    if constexpr (OfOneSpace<Request>) {
      if constexpr (HasVersion<Reply>) {
        sessions.Met(request.space(), VersionOf(answer.message.version()));
      }
      if (auto seen = ParseSessionToken(answer.session)) sessions.Met(request.space(), *seen);
    }
  }
};

net::CallOptions Client::Impl::NewCall(Writes writes, const Ask& ask) const {
  net::CallOptions call;
  call.deadline = Now() + options.timeout;
  if (writes == Writes::kYes) {
    const RequestId id = ask.request_id.is_zero() ? NewRequestId() : ask.request_id;
    call.metadata.Add("engram-request-id", id.ToString());
    if (options.ack.has_value()) call.metadata.Add("engram-ack", NameOf(*options.ack));
  } else {
    if (options.read_preference.has_value()) {
      call.metadata.Add("engram-read-preference", NameOf(*options.read_preference));
    }
    if (!ask.session.empty()) call.metadata.Add("engram-session", ask.session);
  }
  if (ask.explain == Explain::kYes) call.metadata.Add("engram-explain", "1");
  return call;
}

net::CallResult Client::Impl::OneNode(size_t node, const net::CallOptions& call, Send send) {
  std::promise<net::CallResult> promise;
  auto future = promise.get_future();
  loop.Post([&] {
    send(*channels[node], call,
         [&](net::CallResult result) { promise.set_value(std::move(result)); });
  });
  return future.get();
}

net::CallResult Client::Impl::AnyNode(const net::CallOptions& call, Writes writes, Send send) {
  net::CallResult result;
  Tries tries;
  for (size_t node = 0; node < channels.size(); ++node) {
    result = OneNode(node, call, send);
    if (result.status.ok()) return result;
    tries.Add(options.nodes[node], result, writes);
    if (!TryNextNode(result)) break;
  }
  result.status = StatusAfter(tries, result);
  return result;
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  if (options.nodes.empty()) return InvalidArgument("node", "at least one node is needed");
  auto impl = std::make_unique<Impl>();
  auto channel_options = ChannelOptionsOf(options);
  if (!channel_options.ok()) return channel_options.status();
  for (const std::string& node : options.nodes) {
    auto endpoint = net::ParseEndpoint(node);
    if (!endpoint.ok()) return InvalidArgument("node", std::string(endpoint.status().message()));
    impl->channels.push_back(net::Channel::Create(impl->loop, node, *channel_options));
  }
  impl->options = std::move(options);
  impl->loop.Start();
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Client::~Client() {
  // Connections close on their own thread.
  std::promise<void> closed;
  impl_->loop.Post([&] {
    for (const auto& channel : impl_->channels) channel->Close();
    impl_->channels.clear();
    closed.set_value();
  });
  closed.get_future().wait();
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
      impl_->NewCall(Writes::kYes, Explain::kNo), Writes::kYes,
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
