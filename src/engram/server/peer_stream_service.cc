#include "engram/server/peer_stream_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engram/base/session_token.h"
#include "engram/net/grpc_status.h"
#include "engram/peer/v1/peer.pb.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"
#include "engram/server/peer_request.h"
#include "engram/server/peer_service.h"
#include "engram/server/request_metadata.h"

namespace engram::server {
namespace {

absl::StatusOr<std::optional<Version>> SessionIn(const peer::v1::PassedRequest& passed) {
  if (passed.session().empty()) return std::nullopt;
  auto token = ParseSessionToken(passed.session());
  if (token.has_value()) return token;
  return InvalidArgument("session", fmt::format("'{}' is no session token", passed.session()));
}

absl::StatusOr<PeerRequest> ToPeerRequest(peer::v1::PassedRequest& passed, Duration limit) {
  const auto op = FromProto(passed.operation());
  if (!op.has_value()) {
    return MakeError(ErrorCode::kUnimplemented,
                     fmt::format("there is no operation {}", passed.operation()));
  }
  auto identity = IdentityFrom(passed.request_id(), passed.line(), routing::IsWrite(*op));
  if (!identity.ok()) return identity.status();
  auto ack = AckFrom(passed.ack().empty() ? NameOf(routing::Ack::kPrimary) : passed.ack());
  if (!ack.ok()) return ack.status();
  auto session = SessionIn(passed);
  if (!session.ok()) return session.status();
  const auto timeout = std::chrono::nanoseconds(
      std::min<uint64_t>(passed.timeout_ns(), static_cast<uint64_t>(limit.count())));
  return PeerRequest{*op,
                     SpaceId(passed.space()),
                     PeerPolicy(passed.primary_only()),
                     *identity,
                     passed.create(),
                     std::move(*passed.mutable_route_version()),
                     Now() + timeout,
                     std::move(*passed.mutable_body()),
                     **ack,
                     *std::move(session)};
}

std::string Encode(uint64_t number, bool may_repeat, const PeerAnswer& answer) {
  peer::v1::PassedReply reply;
  reply.set_number(number);
  reply.set_degraded(answer.degraded);
  reply.set_assignment(answer.assignment);
  reply.set_session(answer.seen);
  if (answer.staleness_ms.has_value()) reply.set_staleness_ms(*answer.staleness_ms);
  const absl::Status& status = answer.message.status();
  if (!status.ok()) {
    reply.set_status(static_cast<int>(status.code()));
    reply.set_message(std::string(status.message()));
    reply.set_details(net::EncodeDetails(status));
    return reply.SerializeAsString();
  }
  if (may_repeat && answer.message->size() > PeerStreamService::kReplyBytesMax) {
    reply.set_too_large(true);
    return reply.SerializeAsString();
  }
  std::string bytes;
  bytes.reserve(reply.ByteSizeLong() + kFieldOverhead + answer.message->size());
  reply.AppendToString(&bytes);
  AppendField(peer::v1::PassedReply::kBodyFieldNumber, *answer.message, bytes);
  return bytes;
}

}  // namespace

// Belongs to the call's loop; held by the reading and by the requests that are being served.
class PeerStreamService::Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(PeerStreamService& service, net::ServerCall call)
      : context_(service.context_),
        local_(service.local_),
        call_(std::move(call)),
        loop_(context_.StateOf(call_.loop())) {}

  void Start() {
    call_.SetBudgetFloor(2 * kReplyBytesMax);  // else what others hold would end all its requests
    call_.AddHeader(kMdServedBy, context_.self.view());
    call_.SendHeaders();
    call_.OnCancel([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->ended_ = true;
    });
    ReadMore();
  }

  void Leave() {
    leaving_ = true;
    FinishIfDone();
  }

 private:
  void ReadMore() {
    if (reading_ || leaving_ || ended_ || !writable_) return;
    reading_ = true;
    call_.Read([self = shared_from_this()](std::optional<std::string> message) {
      self->reading_ = false;
      if (!message.has_value()) return self->Leave();
      self->Take(*message);
      self->ReadMore();
    });
  }

  void Take(const std::string& message) {
    if (!passed_.ParseFromString(message)) {
      ended_ = true;
      return call_.Finish(Refused(
          InvalidArgument("message", "the bytes are not a valid engram.peer.v1.PassedRequest")));
    }
    const uint64_t number = passed_.number();
    auto request = ToPeerRequest(passed_, context_.config.deadline);
    if (!request.ok()) {
      return Send(Encode(number, false, {Refused(request.status()), false, ""}));
    }
    ++in_flight_;
    const bool may_repeat = !routing::IsWrite(request->op);
    ServePeer(context_, local_, loop_, *std::move(request),
              [self = shared_from_this(), number, may_repeat](const PeerAnswer& answer) {
                self->OnAnswer(number, may_repeat, answer);
              });
  }

  const absl::Status& Refused(const absl::Status& status) {
    context_.metrics.RecordPeer(loop_.index, CodeOf(status));
    return status;
  }

  void OnAnswer(uint64_t number, bool may_repeat, const PeerAnswer& answer) {
    --in_flight_;
    if (!ended_) Send(Encode(number, may_repeat, answer));
    ReadMore();
    FinishIfDone();
  }

  void Send(std::string reply) {
    if (call_.Send(std::move(reply))) return;
    writable_ = false;
    call_.OnWritable([weak = weak_from_this()] {
      auto self = weak.lock();
      if (self == nullptr) return;
      self->writable_ = true;
      self->ReadMore();
    });
  }

  void FinishIfDone() {
    if (!leaving_ || in_flight_ > 0 || ended_) return;
    ended_ = true;
    call_.Finish(absl::OkStatus());
  }

  NodeContext& context_;
  LocalService& local_;
  net::ServerCall call_;
  LoopState& loop_;
  peer::v1::PassedRequest passed_;  // the last one; kept for its memory
  int in_flight_ = 0;
  bool reading_ = false;
  bool writable_ = true;
  bool leaving_ = false;  // nothing more is taken
  bool ended_ = false;
};

PeerStreamService::PeerStreamService(NodeContext& context, LocalService& local)
    : context_(context), local_(local) {
  loops_.reserve(context.loops.size());
  for (size_t i = 0; i < context.loops.size(); ++i) loops_.emplace_back(context.loops.at(i));
}

PeerStreamService::~PeerStreamService() = default;

void PeerStreamService::AddTo(net::Server& server) {
  server.AddStream(kPassOnMethod, [this](net::ServerCall call) { Serve(std::move(call)); });
}

void PeerStreamService::Serve(net::ServerCall call) {
  const size_t loop = context_.StateOf(call.loop()).index;
  if (absl::Status status = CheckCluster(context_, call); !status.ok()) {
    context_.metrics.RecordPeer(loop, CodeOf(status));
    return call.Finish(status);
  }
  if (leaving_.load(std::memory_order_acquire)) return call.Finish(absl::OkStatus());
  auto stream = std::make_shared<Stream>(*this, std::move(call));
  auto& streams = loops_[loop].streams;
  std::erase_if(streams, [](const std::weak_ptr<Stream>& s) { return s.expired(); });
  streams.push_back(stream);
  stream->Start();
}

void PeerStreamService::Leave() {
  leaving_.store(true, std::memory_order_release);
  for (size_t i = 0; i < loops_.size(); ++i) {
    context_.loops.at(i).Post([&loop = loops_[i]] {
      loop.leave_timer.RunAt(Now() + kLeaveAfter, [&loop] {
        for (const std::weak_ptr<Stream>& weak : loop.streams) {
          if (auto stream = weak.lock()) stream->Leave();
        }
      });
    });
  }
}

}  // namespace engram::server
