#include "engram/server/peer_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engram/base/error.h"
#include "engram/net/grpc_status.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"

namespace engram::server {
namespace {

PassedResult ToResult(peer::v1::PassedReply& reply, const NodeId& peer) {
  PassedResult result;
  if (reply.status() != 0) {
    result.status = net::DecodeStatus(reply.status(), reply.message(), reply.details());
  }
  result.message = std::move(*reply.mutable_body());
  result.served_by = peer;
  result.degraded = reply.degraded();
  result.too_large = reply.too_large();
  result.seen = std::move(*reply.mutable_session());
  if (reply.has_staleness_ms()) result.staleness_ms = reply.staleness_ms();
  if (!reply.assignment().empty()) result.assignment = DecodeAssignment(reply.assignment());
  return result;
}

}  // namespace

PeerStream::PeerStream(net::EventLoop& loop, const Options& options)
    : loop_(loop),
      idle_max_(options.idle_max),
      reopen_pause_(options.reopen_pause),
      unknown_pause_(options.unknown_pause),
      deadlines_(loop, [this](TimePoint now) { Expire(now); }),
      idle_timer_(loop) {}

std::shared_ptr<PeerStream> PeerStream::Open(net::EventLoop& loop,
                                             const std::shared_ptr<net::Channel>& channel,
                                             const Options& options) {
  auto stream = std::make_shared<PeerStream>(loop, options);
  std::weak_ptr<PeerStream> weak = stream;
  stream->channel_ = channel;
  net::CallOptions call;
  call.metadata.Add(kMdCluster, options.cluster);
  stream->stream_ =
      channel->Open(kPassOnMethod, std::move(call), [weak](const net::CallResult& end) {
        if (auto self = weak.lock()) self->OnEnd(end);
      });
  stream->stream_->OnHeaders([weak](const net::Metadata& metadata) {
    if (auto self = weak.lock()) self->Greeted(metadata);
  });
  stream->ReadOn();
  return stream;
}

bool PeerStream::Takes(size_t bytes) {
  if (!up_ || closed_ || !writable_ || bytes > kRequestBytesMax ||
      under_way_.size() >= kInFlightMax) {
    return false;
  }
  if (!stream_->leaving()) return true;
  Close(Duration::zero());
  return false;
}

bool PeerStream::IsOn(const std::shared_ptr<net::Channel>& channel) const {
  return !channel_.owner_before(channel) && !channel.owner_before(channel_);
}

uint64_t PeerStream::Pass(peer::v1::PassedRequest& head, std::string body, TimePoint deadline,
                          Done done) {
  const Duration left = std::max(deadline - net::EventLoop::Now(), Duration::zero());
  head.set_number(++last_number_);
  head.set_timeout_ns(static_cast<uint64_t>(left.count()));
  std::string bytes;
  bytes.reserve(head.ByteSizeLong() + kFieldOverhead + body.size());
  head.AppendToString(&bytes);
  AppendField(peer::v1::PassedRequest::kBodyFieldNumber, body, bytes);
  under_way_.try_emplace(last_number_, UnderWay{std::move(body), deadline, std::move(done)});
  deadlines_.Watch(deadline);
  if (!stream_->Send(std::move(bytes))) {
    writable_ = false;
    stream_->OnWritable([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->writable_ = true;
    });
  }
  return last_number_;
}

void PeerStream::Cancel(uint64_t number) {
  if (!under_way_.contains(number)) return;
  EndSoon(number, MakeError(ErrorCode::kCancelled, "the call was cancelled"));
}

std::optional<std::string> PeerStream::CopyRequest(uint64_t number) const {
  auto request = under_way_.find(number);
  if (request == under_way_.end()) return std::nullopt;
  return request->second.request;
}

void PeerStream::Greeted(const net::Metadata& metadata) {
  up_ = true;
  peer_ = NodeId(metadata.Find(kMdServedBy).value_or(""));
  WatchIdle();
}

void PeerStream::ReadOn() {
  stream_->Read([weak = weak_from_this()](const std::optional<std::string>& message) {
    auto self = weak.lock();
    if (self == nullptr || !message.has_value()) return;
    self->OnReply(*message);
    if (!self->over_) self->ReadOn();
  });
}

void PeerStream::OnReply(const std::string& message) {
  if (!reply_.ParseFromString(message)) return stream_->Cancel();  // OnEnd() follows
  unanswered_ = 0;
  End(reply_.number(), ToResult(reply_, peer_));
}

void PeerStream::OnEnd(const net::CallResult& end) {
  Close(CodeOf(end.status) == ErrorCode::kUnimplemented ? unknown_pause_ : reopen_pause_);
  over_ = true;
  deadlines_.Cancel();
  const bool in_order = end.status.ok() && end.delivery == net::Delivery::kAnswered;
  const absl::Status status =
      in_order
          ? MakeError(ErrorCode::kShuttingDown, "the peer is going away")
          : MakeError(ErrorCode::kUndetermined, fmt::format("the stream to the peer was lost: {}",
                                                            std::string(end.status.message())));
  while (!under_way_.empty()) {
    PassedResult result;
    result.status = status;
    result.delivery = in_order ? net::Delivery::kNotSent : net::Delivery::kUndetermined;
    End(under_way_.begin()->first, std::move(result));
  }
}

void PeerStream::End(uint64_t number, PassedResult result) {
  auto request = under_way_.find(number);
  if (request == under_way_.end()) return;  // it has ended otherwise
  UnderWay ended = std::move(request->second);
  under_way_.erase(request);
  result.request = std::move(ended.request);
  ended.done(std::move(result));
}

void PeerStream::EndSoon(uint64_t number, absl::Status status) {
  PassedResult result;
  result.status = std::move(status);
  result.delivery = net::Delivery::kUndetermined;
  loop_.Post([self = shared_from_this(), number, result = std::move(result)]() mutable {
    self->End(number, std::move(result));
  });
}

void PeerStream::Expire(TimePoint now) {
  TimePoint next = kNever;
  for (auto& [number, request] : under_way_) {
    if (request.deadline > now) {
      next = std::min(next, request.deadline);
      continue;
    }
    request.deadline = kNever;  // once
    ++unanswered_;
    EndSoon(number, MakeError(ErrorCode::kDeadlineExceeded, "the call's deadline has passed"));
  }
  if (next != kNever) deadlines_.Watch(next);
  if (unanswered_ >= kUnansweredMax) Close(reopen_pause_);
}

void PeerStream::Close(Duration pause) {
  if (std::exchange(closed_, true)) return;
  reopen_at_ = net::EventLoop::Now() + pause;
  idle_timer_.Cancel();
  stream_->SendDone();
}

void PeerStream::WatchIdle() {
  number_at_last_look_ = last_number_;
  idle_timer_.RunAt(net::EventLoop::Now() + idle_max_, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->CloseIfIdle();
  });
}

void PeerStream::CloseIfIdle() {
  if (!under_way_.empty() || number_at_last_look_ != last_number_) return WatchIdle();
  Close(Duration::zero());
}

}  // namespace engram::server
