// Inside the client: how a call goes to one node after another, and what is made of its result.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "engram/base/error.h"
#include "engram/base/session_token.h"
#include "engram/client/client.h"
#include "engram/client/sessions.h"
#include "engram/net/channel.h"
#include "engram/net/event_loop.h"

namespace engram::client {

inline constexpr std::string_view kService = "/engram.v1.MemoryService/";

enum class Writes : uint8_t { kNo, kYes };

absl::StatusOr<net::ChannelOptions> ChannelOptionsOf(const ClientOptions& options);

// What came with a message of an answer; AttemptsOf() finds the route in a status.
absl::Status WithRoute(const net::CallResult& result);
std::vector<v1::Attempt> RouteOf(const net::Metadata& trailing);

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
  answer.route = RouteOf(result.trailing);
  return answer;
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

inline Version VersionOf(const v1::Version& proto) {
  return {{proto.epoch().counter(), NodeId(proto.epoch().primary())}, proto.sequence()};
}

struct Client::Impl {
  using Send = absl::FunctionRef<void(net::Channel&, net::CallOptions, net::Channel::Done)>;

  struct Node {
    std::string address;
    std::shared_ptr<net::Channel> channel;  // used on the loop
  };
  using Nodes = std::vector<Node>;

  ClientOptions options;
  net::ChannelOptions channel_options;
  net::EventLoop loop;
  Nodes nodes;  // those of the options
  Sessions sessions;

  absl::StatusOr<Node> MakeNode(const std::string& address);
  // Those of the cluster's nodes with these ids whose addresses are known.
  absl::StatusOr<Nodes> NodesOf(const std::vector<std::string>& ids);
  // On the loop, which is where their connections end.
  void Close(Nodes closed);

  net::CallResult OneNode(const Node& node, const net::CallOptions& call, Send send);
  // The first of the nodes that can be asked.
  net::CallResult AnyNode(const Nodes& asked, const net::CallOptions& call, Writes writes,
                          Send send);
  net::CallOptions NewCall(Writes writes, const Ask& ask) const;

  template <class Reply, class Request>
  absl::StatusOr<Answer<Reply>> Unary(const std::string& method, const Request& request,
                                      Writes writes, const Ask& ask) {
    std::string body = request.SerializeAsString();
    auto answer = ToAnswer<Reply>(
        AnyNode(nodes, NewCall(writes, AskInSession(request, writes, ask)), writes,
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

}  // namespace engram::client
