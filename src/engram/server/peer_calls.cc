#include "engram/server/peer_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "engram/base/session_token.h"
#include "engram/routing/route_names.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/node_context.h"
#include "engram/server/operations.h"
#include "engram/server/router.h"

namespace engram::server {
namespace {

using Send = routing::CallPlan::Send;

bool PrimaryOnly(const RoutedRequest& request) {
  return request.policy.preference == routing::ReadPreference::kPrimary;
}

PassedResult ToResult(net::CallResult call) {
  PassedResult result;
  result.status = std::move(call.status);
  result.delivery = call.delivery;
  result.message = std::move(call.message);
  result.request = std::move(call.request);
  if (auto node = call.trailing.Find(kMdServedBy)) result.served_by = NodeId(*node);
  result.degraded = call.trailing.Find(kMdDegraded).has_value();
  result.seen = call.trailing.Find(kMdSession).value_or("");
  if (auto text = call.trailing.Find(kMdStaleness)) {
    uint64_t staleness_ms = 0;
    std::from_chars(text->data(), text->data() + text->size(), staleness_ms);
    result.staleness_ms = staleness_ms;
  }
  if (auto bytes = call.trailing.Find(kMdAssignment)) result.assignment = DecodeAssignment(*bytes);
  return result;
}

}  // namespace

void PeerCalls::Handle::Cancel() {
  if (auto* call = std::get_if<net::Channel::CallHandle>(&way_)) return call->Cancel();
  if (auto* on = std::get_if<OnStream>(&way_)) {
    if (auto stream = on->stream.lock()) stream->Cancel(on->number);
  }
}

std::optional<std::string> PeerCalls::Handle::CopyRequest() const {
  if (const auto* call = std::get_if<net::Channel::CallHandle>(&way_)) return call->CopyRequest();
  if (const auto* on = std::get_if<OnStream>(&way_)) {
    if (auto stream = on->stream.lock()) return stream->CopyRequest(on->number);
  }
  return std::nullopt;
}

PeerCalls::PeerCalls(NodeContext& context, LoopState& loop) : context_(context), loop_(loop) {}

PeerCalls::~PeerCalls() = default;

PeerCalls::Handle PeerCalls::Pass(const Send& send, const RoutedRequest& request, std::string body,
                                  Done done) {
  const std::shared_ptr<net::Channel>& channel = ChannelTo(send.node);
  PeerStream& stream = StreamOf(channel);
  if (!stream.Takes(body.size())) {
    return CallAlone(*channel, send, request, std::move(body), std::move(done));
  }
  FillHead(send, request);
  const uint64_t number = stream.Pass(head_, std::move(body), send.deadline, std::move(done));
  return {stream.weak_from_this(), number};
}

PeerCalls::Handle PeerCalls::PassAlone(const Send& send, const RoutedRequest& request,
                                       std::string body, Done done) {
  return CallAlone(*ChannelTo(send.node), send, request, std::move(body), std::move(done));
}

const std::shared_ptr<net::Channel>& PeerCalls::ChannelTo(routing::NodeIndex node) {
  return context_.pool.Get(loop_.index, context_.nodes.IdOf(node),
                           *context_.directory.AddressOf(node));
}

PeerCalls::Handle PeerCalls::CallAlone(net::Channel& channel, const Send& send,
                                       const RoutedRequest& request, std::string body, Done done) {
  return Handle(channel.Unary(PeerMethod(request.op), OptionsFor(send, request), std::move(body),
                              [done = std::move(done)](net::CallResult result) mutable {
                                done(ToResult(std::move(result)));
                              }));
}

PeerStream& PeerCalls::StreamOf(const std::shared_ptr<net::Channel>& channel) {
  std::shared_ptr<PeerStream>& stream = streams_[channel.get()];
  if (stream == nullptr || !stream->IsOn(channel)) return OpenStream(channel);
  if (stream->closed() && stream->ReplaceableAt(Now())) return OpenStream(channel);
  return *stream;
}

PeerStream& PeerCalls::OpenStream(const std::shared_ptr<net::Channel>& channel) {
  std::erase_if(closing_, [](const auto& stream) { return stream->over(); });
  absl::erase_if(streams_, [](const auto& entry) {
    return entry.second != nullptr && entry.second->Abandoned();
  });
  std::shared_ptr<PeerStream>& stream = streams_[channel.get()];
  if (stream != nullptr && !stream->over()) closing_.push_back(std::move(stream));
  PeerStream::Options options{.cluster = context_.directory.cluster_id()};
  options.idle_max = std::min(options.idle_max, context_.config.connection_idle / 2);
  stream = PeerStream::Open(*loop_.loop, channel, options);
  return *stream;
}

void PeerCalls::FillHead(const Send& send, const RoutedRequest& request) {
  head_.Clear();
  head_.set_operation(static_cast<peer::v1::Operation>(ToProto(request.op)));
  head_.set_space(request.space.value());
  if (send.version != routing::RouteVersion{}) {
    head_.set_route_version(EncodeVersion(context_.nodes.ToVersion(send.version)));
  }
  head_.set_create(send.create);
  head_.set_primary_only(PrimaryOnly(request));
  if (routing::IsWrite(request.op)) {
    head_.set_request_id(request.identity.request_id.ToString());
    head_.set_line(request.identity.line);
    if (request.ack != routing::Ack::kPrimary) head_.set_ack(std::string(NameOf(request.ack)));
  } else if (request.session.has_value()) {
    head_.set_session(ToSessionToken(*request.session));
  }
}

net::CallOptions PeerCalls::OptionsFor(const Send& send, const RoutedRequest& request) {
  net::CallOptions options;
  options.deadline = send.deadline;
  options.metadata.Add(kMdCluster, context_.directory.cluster_id(), net::Recurrence::kRepeated);
  options.metadata.Add(kMdSpace, request.space.view(), RecurrenceOf(request.space));
  options.metadata.Add(kMdHop, fmt::format_int(send.hop).str(), net::Recurrence::kRepeated);
  if (send.version != routing::RouteVersion{}) {
    options.metadata.Add(kMdRouteVersion, EncodeVersion(context_.nodes.ToVersion(send.version)));
  }
  if (send.create) options.metadata.Add(kMdCreate, "1");
  if (PrimaryOnly(request)) {
    options.metadata.Add(kMdReadPreference, NameOf(routing::ReadPreference::kPrimary),
                         net::Recurrence::kRepeated);
  }
  if (routing::IsWrite(request.op)) {
    options.metadata.Add(kMdRequestId, request.identity.request_id.ToString());
    if (request.identity.line > 0) {
      options.metadata.Add(kMdLine, fmt::format_int(request.identity.line).str());
    }
    if (request.ack != routing::Ack::kPrimary) {
      options.metadata.Add(kMdAck, NameOf(request.ack), net::Recurrence::kRepeated);
    }
  } else if (request.session.has_value()) {
    options.metadata.Add(kMdSession, ToSessionToken(*request.session));
  }
  return options;
}

// Requests for one space come in runs, or for many spaces in turn, which would only drive each
// other and the method names out of the peer's table.
net::Recurrence PeerCalls::RecurrenceOf(const SpaceId& space) {
  if (forwarded_ == space) return net::Recurrence::kRepeated;
  forwarded_ = space;
  return net::Recurrence::kOnce;
}

}  // namespace engram::server
