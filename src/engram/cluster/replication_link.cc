#include "engram/cluster/replication_link.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "engram/cluster/gossip_methods.h"

namespace engram::cluster {

using net::EventLoop;

net::ChannelOptions ForReplication(net::ChannelOptions options) {
  options.keepalive_interval = std::chrono::seconds(1);
  options.keepalive_timeout = std::chrono::seconds(2);
  options.connect_timeout = std::chrono::seconds(2);
  return options;
}

ReplicationLink::ReplicationLink(const ReplicationPorts& ports,
                                 const ReplicationLinksOptions& options, NodeId to,
                                 ReplicationCounters& counters, Refused refused)
    : ports_(ports),
      options_(options),
      to_(std::move(to)),
      counters_(counters),
      refused_(std::move(refused)),
      queue_(options.queue_bytes_max),
      timer_(ports.loop, [this](TimePoint) { Pump(); }) {}

void ReplicationLink::Queue(SpaceMessage message) {
  wanted_until_ = EventLoop::Now() + options_.idle_max;
  const ReplicationQueue::Kind kind = ReplicationQueue::KindOf(message.message);
  std::string part = EncodePart(std::move(message));
  if (part.size() > kPartBytesMax) return counters_.messages_dropped.Add();
  counters_.messages_dropped.Add(queue_.Push(kind, std::move(part)));
}

void ReplicationLink::Heard(uint64_t life) {
  // What waits was for another life. If that one was the newer, and this frame late, the next
  // frame sets it right.
  if (life != peer_life_ && peer_life_ != 0) DropQueued();
  peer_life_ = life;
  heard_at_ = EventLoop::Now();
}

void ReplicationLink::Pump() {
  const TimePoint now = EventLoop::Now();
  if (!Wanted(now)) {
    DropQueued();
    return Drop();
  }
  if (stream_ != nullptr && HasMoved()) Drop();
  if (stream_ == nullptr && now >= reopen_at_) Open(now);
  LeaveIfAsked();
  SendQueued();
  timer_.Watch(stream_ != nullptr ? wanted_until_ : reopen_at_);
}

const std::string* ReplicationLink::Address() const {
  const auto index = ports_.nodes.Find(to_.view());
  return index.has_value() ? ports_.directory.AddressOf(*index) : nullptr;
}

bool ReplicationLink::HasMoved() const {
  const std::string* address = Address();
  return address == nullptr || *address != address_;
}

// A stream could go on for ever on a connection that its peer wants to be rid of. The peer ends it
// when it has read everything; if the connection is lost already, that is told soon.
void ReplicationLink::LeaveIfAsked() {
  if (!up_ || leaving_ || !stream_->leaving()) return;
  leaving_ = true;
  stream_->SendDone();
}

void ReplicationLink::Open(TimePoint now) {
  const std::string* address = Address();
  if (address == nullptr) return BackOff(now);
  address_ = *address;
  const std::shared_ptr<net::Channel> channel = ports_.pool.Get(0, to_, address_);
  // It would only repeat how the last attempt ended, and that may not be so any more.
  if (channel->state() == net::Channel::State::kBackingOff) {
    reopen_at_ = now + options_.reopen_min;
    return;
  }
  OpenOn(channel, now);
}

void ReplicationLink::OpenOn(const std::shared_ptr<net::Channel>& channel, TimePoint now) {
  attempt_at_ = now;
  channel_ = channel;
  net::CallOptions call;
  call.metadata.Add(kMdCluster, ports_.directory.cluster_id());
  const uint64_t number = ++streams_;
  auto weak = weak_from_this();
  stream_ =
      channel->Open(kReplicateMethod, std::move(call), [weak, number](const net::CallResult& end) {
        if (auto self = weak.lock()) self->OnEnd(number, end);
      });
  stream_->OnHeaders([weak, number](const net::Metadata&) {
    auto self = weak.lock();
    if (self != nullptr && self->streams_ == number) self->Greeted();
  });
  ReadOn();
  writable_ = true;
  leaving_ = false;
  SendFrame({ReplicationHello{options_.self, to_, options_.life}, peer_life_}, {});
}

// What the peer says is only read because its end comes after it.
void ReplicationLink::ReadOn() {
  stream_->Read([weak = weak_from_this(), number = streams_](const std::optional<std::string>& m) {
    auto self = weak.lock();
    if (self != nullptr && self->streams_ == number && m.has_value()) self->ReadOn();
  });
}

void ReplicationLink::Greeted() {
  up_ = true;
  up_at_ = EventLoop::Now();
  last_failure_.clear();
  counters_.streams_opened.Add();
  // Posted: this runs inside the connection's reading.
  ports_.loop.Post([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->Pump();
  });
}

void ReplicationLink::SendQueued() {
  while (up_ && writable_ && !leaving_ && !queue_.empty()) {
    SendFrame({std::nullopt, peer_life_}, queue_.Take(options_.frame_bytes_max));
  }
}

void ReplicationLink::SendFrame(const FrameHead& head, ReplicationQueue::Batch batch) {
  std::string frame = EncodeFrame(head, std::move(batch.bytes));
  counters_.frames_sent.Add();
  counters_.bytes_sent.Add(frame.size());
  counters_.messages_sent.Add(batch.messages);
  writable_ = stream_->Send(std::move(frame));
  if (writable_) return;
  stream_->OnWritable([weak = weak_from_this(), number = streams_] {
    auto self = weak.lock();
    if (self == nullptr || self->streams_ != number) return;
    self->writable_ = true;
    self->Pump();
  });
}

void ReplicationLink::OnEnd(uint64_t number, const net::CallResult& end) {
  if (number != streams_ || stream_ == nullptr) return;  // one that was given up
  const TimePoint now = EventLoop::Now();
  const bool stayed = up_ && now >= up_at_ + options_.reopen_max;
  if (up_ && end.status.ok()) goodbye_at_ = now;
  if (!end.status.ok()) Log(end.status);
  counters_.streams_lost.Add();
  Drop();
  DropQueued();
  if (stayed) {
    reopen_delay_ = Duration::zero();
    reopen_at_ = now;
  } else {
    BackOff(now);
  }
  timer_.Watch(reopen_at_);
  if (net::WasRefused(end.status)) OnRefused(now);
}

void ReplicationLink::OnRefused(TimePoint now) {
  counters_.ports_refused.Add();
  // What came after the attempt had begun may have been sent after the refusal.
  if (heard_at_ < attempt_at_ && now >= goodbye_at_ + options_.goodbye_grace) refused_();
}

void ReplicationLink::BackOff(TimePoint now) {
  reopen_delay_ = std::clamp(2 * reopen_delay_, options_.reopen_min, options_.reopen_max);
  reopen_at_ = now + reopen_delay_;
}

void ReplicationLink::Drop() {
  ++streams_;
  up_ = false;
  channel_.reset();
  if (stream_ == nullptr) return;
  // Posted: it may be the stream's own call-back that this runs in.
  ports_.loop.Post([stream = std::move(stream_)]() mutable { stream.reset(); });
}

// Once for each reason.
void ReplicationLink::Log(const absl::Status& status) {
  std::string reason(status.message());
  if (reason == last_failure_) return;
  spdlog::info("event=replication_stream_ended node={} reason=\"{}\"", to_.value(), reason);
  last_failure_ = std::move(reason);
}

}  // namespace engram::cluster
