#include "engram/net/h2_connection.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engram/net/h2_callbacks.h"

namespace engram::net::internal {

H2Connection::H2Connection(EventLoop& loop, SocketIo io, Side side, const LifecycleLimits& limits)
    : Transport(loop, std::move(io),
                side == Side::kServer ? WhenBlocked::kStopReading : WhenBlocked::kKeepReading),
      deadlines_(loop, [this](TimePoint now) { ExpireStreams(now); }),
      lifecycle_(limits, EventLoop::Now()),
      tick_timer_(loop) {
  const auto make =
      side == Side::kServer ? nghttp2_session_server_new2 : nghttp2_session_client_new2;
  make(&session_, SessionCallbacks(), this, SessionOptions());
}

H2Connection::~H2Connection() {
  // Only streams of a loop that was stopped are left here: nobody is called back any more.
  while (!streams_.empty()) streams_.front().Abandon();
  nghttp2_session_del(session_);
}

void H2Connection::SubmitPreface(const nghttp2_settings_entry* settings, size_t count) {
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, count);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
  FlushSoon();
}

void H2Connection::AddStream(H2Stream& stream, int32_t id) {
  lifecycle_.OnCallBegun();
  stream.Attach(*this, id);
  streams_.push_back(stream);
  loop().counters().streams_begun.Add();
}

H2Stream* H2Connection::Find(int32_t stream_id) {
  return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session_, stream_id));
}

void H2Connection::Acknowledge(int32_t stream_id, size_t bytes) {
  nghttp2_session_consume(session_, stream_id, bytes);
  if (nghttp2_session_want_write(session_) != 0) FlushSoon();
}

void H2Connection::AcknowledgeConnection(size_t bytes) {
  nghttp2_session_consume_connection(session_, bytes);
  if (nghttp2_session_want_write(session_) != 0) FlushSoon();
}

void H2Connection::ResumeData(int32_t stream_id) {
  nghttp2_session_resume_data(session_, stream_id);
  FlushSoon();
}

void H2Connection::ResetStream(int32_t stream_id, uint32_t http2_error) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream_id, http2_error);
  FlushSoon();
}

bool H2Connection::HasOpened(int32_t stream_id) const {
  return nghttp2_session_find_stream(session_, stream_id) != nullptr;
}

void H2Connection::Terminate(uint32_t http2_error) {
  termination_ = http2_error;
  FlushSoon();
}

void H2Connection::OnBytes(const uint8_t* data, size_t size) {
  if (termination_.has_value()) return;
  lifecycle_.OnAlive(EventLoop::Now());
  const ssize_t used = nghttp2_session_mem_recv(session_, data, size);
  if (closed() || termination_.has_value()) return;
  if (used < 0) return Fail(static_cast<int>(used));
  if (nghttp2_session_want_write(session_) != 0) {
    FlushSoon();
  } else if (nghttp2_session_want_read(session_) == 0) {
    Close("the connection has served its calls");
  }
}

void H2Connection::Fail(int nghttp2_error) {
  // More than nghttp2 lets wait; there is no room for a GOAWAY either.
  if (nghttp2_error == NGHTTP2_ERR_FLOODED || nghttp2_error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) {
    loop().counters().connections_flooding.Add();
  }
  Close(nghttp2_strerror(nghttp2_error));
}

void H2Connection::HandleFrame(const nghttp2_frame& frame) {
  if (!lifecycle_.begun()) {
    lifecycle_.OnFirstFrame();
    AwaitNextTick();
  }
  if (frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA) {
    if (H2Stream* stream = Find(frame.hd.stream_id)) {
      const std::shared_ptr<H2Stream> keep = stream->shared_from_this();
      if (frame.hd.type == NGHTTP2_HEADERS) stream->OnHeadersEnd();
      if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) stream->OnInputEnd();
    }
  }
  OnFrame(frame);
}

bool H2Connection::FillOutput(std::string& out) {
  BeforeSend();
  out_ = &out;
  while (out.size() < kFlushBytes && !closed()) {
    // Here and not where it was decided on, which is mostly a call-back: of a session that was
    // terminated while it receives, nghttp2 takes the next malformed frame for a bug of its own and
    // aborts the process (CVE-2026-27135, mended in part only by 1.52.0-1+deb12u3).
    if (termination_.has_value()) nghttp2_session_terminate_session(session_, *termination_);
    const uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size < 0 && !closed()) Close(nghttp2_strerror(static_cast<int>(size)));
    if (size <= 0) {
      out_ = nullptr;
      return false;
    }
    out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
  }
  out_ = nullptr;
  return !closed();
}

void H2Connection::OnFlushed() {
  if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0) {
    Close("the connection has served its calls");
  }
}

void H2Connection::HandleStreamClosed(uint32_t http2_error) {
  if (streams_.empty()) lifecycle_.OnLastCallEnded(EventLoop::Now());
  OnStreamClosed(http2_error);
}

void H2Connection::Begin() {
  AwaitNextTick();
  Open();
}

void H2Connection::AwaitNextTick() {
  const TimePoint next = lifecycle_.NextTick();
  if (next == kNever) return tick_timer_.Cancel();
  tick_timer_.RunAt(next, [this] { Tick(); });
}

void H2Connection::Tick() {
  const std::shared_ptr<Transport> keep = shared_from_this();
  for (;;) {
    const ConnectionLifecycle::Due due = lifecycle_.Tick(EventLoop::Now());
    if (due.action == ConnectionLifecycle::Action::kNone) return AwaitNextTick();
    if (due.action == ConnectionLifecycle::Action::kPing) {
      loop().counters().keepalives_sent.Add();
      nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
      FlushSoon();
    } else {
      OnDue(due);
    }
    if (closed()) return;
  }
}

void H2Connection::LoseStreams(std::string_view reason) {
  deadlines_.Cancel();
  tick_timer_.Cancel();
  while (!streams_.empty()) {
    const std::shared_ptr<H2Stream> stream = streams_.front().shared_from_this();
    const bool sent = HasOpened(stream->id());
    stream->Detach();
    stream->OnConnectionLost(sent, reason);
  }
}

void H2Connection::ExpireStreams(TimePoint now) {
  const std::shared_ptr<Transport> keep = shared_from_this();
  TimePoint next = kNever;
  // Collected first: what hears of its deadline may end other streams.
  std::vector<std::shared_ptr<H2Stream>> due;
  for (H2Stream& stream : streams_) {
    if (stream.deadline() <= now) {
      due.push_back(stream.shared_from_this());
    } else {
      next = std::min(next, stream.deadline());
    }
  }
  for (const auto& stream : due) {
    if (stream->connection() == this) stream->OnDeadline();
  }
  if (!closed()) deadlines_.Watch(next);
}

}  // namespace engram::net::internal
