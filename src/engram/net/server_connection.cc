#include "engram/net/server_connection.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstring>
#include <utility>

namespace engram::net::internal {
namespace {

// Marks the PING whose answer says that the peer has seen the notice of shutdown.
constexpr std::array<uint8_t, 8> kDrainPing = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

bool IsDrainAck(const nghttp2_frame& frame) {
  return frame.hd.type == NGHTTP2_PING && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
         std::memcmp(frame.ping.opaque_data, kDrainPing.data(), kDrainPing.size()) == 0;
}

// Some clients read only while they have a call (Python's, for one) and never answer in time.
// Enough for calls that are on their way, and well within what a node has for all of its draining.
constexpr Duration kDrainAckLimit = std::chrono::seconds(2);

// Frames that cost a peer nothing and do nothing for a call. An empty DATA frame is one, unless it
// ends the stream.
bool IsControl(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_RST_STREAM:     // counted by stream
    case NGHTTP2_WINDOW_UPDATE:  // counted by itself
      return false;
    case NGHTTP2_DATA:
      return frame.hd.length == 0 && (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0;
    default:
      return true;
  }
}

}  // namespace

ServerConnection::ServerConnection(EventLoop& loop, SocketIo io,
                                   std::shared_ptr<const PeerInfo> peer, ConnectionLimits limits,
                                   Closed closed)
    : H2Connection(loop, std::move(io), Side::kServer, limits.lifecycle),
      peer_(std::move(peer)),
      limits_(limits),
      closed_callback_(std::move(closed)),
      flood_(limits.flood) {}

void ServerConnection::Serve() {
  const std::array<nghttp2_settings_entry, 3> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.concurrent_streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits_.header_bytes_max)},
  }};
  SubmitPreface(settings.data(), settings.size());
  Begin();
}

void ServerConnection::Drain() {
  if (draining_ || closed()) return;
  draining_ = true;
  // In two steps, so that calls which are on their way while the peer does not know yet are still
  // served.
  nghttp2_submit_shutdown_notice(session());
  nghttp2_submit_ping(session(), NGHTTP2_FLAG_NONE, kDrainPing.data());
  FlushSoon();
  // For a peer that does not answer the ping.
  drain_timer_.emplace(loop());
  drain_timer_->RunAt(EventLoop::Now() + kDrainAckLimit, [this] { EndDrain(); });
}

void ServerConnection::EndDrain() {
  if (drain_timer_.has_value()) drain_timer_.reset();
  drain_ends_ = true;
  FlushSoon();
}

// Here, and not when the ping was answered: calls that came right behind the answer have begun
// meanwhile, and must not be told that they have not.
void ServerConnection::BeforeSend() {
  if (!std::exchange(drain_ends_, false)) return;
  nghttp2_submit_goaway(session(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

void ServerConnection::OnDue(ConnectionLifecycle::Due due) {
  using Reason = ConnectionLifecycle::Reason;
  Counters& counters = loop().counters();
  switch (due.reason) {
    case Reason::kUnfinished:
      counters.connections_unfinished.Add();
      return Close("the peer did not begin to speak HTTP/2");
    case Reason::kSilent:
      counters.keepalives_missed.Add();
      return Close("the peer did not answer a keep-alive ping");
    case Reason::kUnused:
      counters.connections_unused.Add();
      return Drain();
    case Reason::kIdle:
      counters.connections_idle.Add();
      return Drain();
    case Reason::kOld:
      counters.connections_old.Add();
      if (due.action == ConnectionLifecycle::Action::kDrain) return Drain();
      return Close("the connection is too old");
    case Reason::kNone:
      return;
  }
}

void ServerConnection::CutOff() {
  if (terminating()) return;
  loop().counters().connections_flooding.Add();
  Terminate(NGHTTP2_ENHANCE_YOUR_CALM);
}

void ServerConnection::OnRequestBegin(int32_t stream_id) {
  flood_.OnCallBegun();
  auto stream = std::make_shared<ServerStreamState>(loop(), peer_);
  AddStream(*stream, stream_id);
  nghttp2_session_set_stream_user_data(session(), stream_id, static_cast<H2Stream*>(stream.get()));
}

void ServerConnection::OnFrame(const nghttp2_frame& frame) {
  if (draining_ && IsDrainAck(frame)) EndDrain();
  if (frame.hd.type == NGHTTP2_WINDOW_UPDATE && flood_.OnWindowUpdate(EventLoop::Now())) CutOff();
  if (IsControl(frame) && flood_.OnControlFrame(EventLoop::Now())) CutOff();
}

void ServerConnection::OnFrameSent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_DATA) flood_.OnDataSent();
  // A stream beyond concurrent_streams_max is refused by nghttp2 before we hear of it.
  if (frame.hd.type == NGHTTP2_RST_STREAM &&
      frame.rst_stream.error_code == NGHTTP2_REFUSED_STREAM) {
    loop().counters().streams_refused.Add();
    if (flood_.OnControlFrame(EventLoop::Now())) CutOff();
  }
  if (early_ends_ == 0 || frame.hd.type != NGHTTP2_HEADERS ||
      (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
    return;
  }
  if (nghttp2_session_get_stream_remote_close(session(), frame.hd.stream_id) != 0) return;
  --early_ends_;
  ResetStream(frame.hd.stream_id, NGHTTP2_NO_ERROR);
}

void ServerConnection::OnStreamClosed(uint32_t http2_error) {
  if (http2_error != NGHTTP2_NO_ERROR && flood_.OnReset(EventLoop::Now())) CutOff();
}

void ServerConnection::OnClosed(std::string_view reason) {
  drain_timer_.reset();
  loop().counters().connections_closed.Add();
  LoseStreams(reason);
  if (closed_callback_) std::exchange(closed_callback_, nullptr)(*this);
}

}  // namespace engram::net::internal
