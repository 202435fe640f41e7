#include "engram/client/client_impl.h"

#include <chrono>
#include <future>
#include <optional>
#include <random>

#include "engram/net/endpoint.h"
#include "engram/net/grpc_status.h"

namespace engram::client {
namespace {

constexpr char kTlsDoubtPayload[] = "engram/tls-doubt";     // marks statuses of MayDisagreeOnTls()
constexpr char kUnansweredPayload[] = "engram/unanswered";  // marks statuses of NobodyAnswered()

TimePoint Now() { return std::chrono::steady_clock::now(); }

WallMillis WallNow() {
  auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return WallMillis{std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()};
}

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

}  // namespace

absl::Status WithRoute(const net::CallResult& result) {
  absl::Status status = result.status;
  auto route = result.trailing.Find("engram-route-bin");
  if (route.has_value()) status.SetPayload(net::kAttemptsPayload, absl::Cord(std::string(*route)));
  return status;
}

std::vector<v1::Attempt> RouteOf(const net::Metadata& trailing) {
  v1::RouteTrace trace;
  auto bytes = trailing.Find("engram-route-bin");
  if (!bytes.has_value() || !trace.ParseFromString(std::string(*bytes))) return {};
  return {trace.attempts().begin(), trace.attempts().end()};
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

absl::StatusOr<Client::Impl::Node> Client::Impl::MakeNode(const std::string& address) {
  auto endpoint = net::ParseEndpoint(address);
  if (!endpoint.ok()) return InvalidArgument("node", std::string(endpoint.status().message()));
  return Node{address, net::Channel::Create(loop, address, channel_options)};
}

void Client::Impl::Close(Nodes closed) {
  std::promise<void> done;
  loop.Post([&] {
    for (const Node& node : closed) node.channel->Close();
    closed.clear();
    done.set_value();
  });
  done.get_future().wait();
}

net::CallResult Client::Impl::OneNode(const Node& node, const net::CallOptions& call, Send send) {
  std::promise<net::CallResult> promise;
  auto future = promise.get_future();
  loop.Post([&] {
    send(*node.channel, call,
         [&](net::CallResult result) { promise.set_value(std::move(result)); });
  });
  return future.get();
}

net::CallResult Client::Impl::AnyNode(const Nodes& asked, const net::CallOptions& call,
                                      Writes writes, Send send) {
  net::CallResult result;
  Tries tries;
  for (const Node& node : asked) {
    result = OneNode(node, call, send);
    if (result.status.ok()) return result;
    tries.Add(node.address, result, writes);
    if (!TryNextNode(result)) break;
  }
  result.status = StatusAfter(tries, result);
  return result;
}

}  // namespace engram::client
