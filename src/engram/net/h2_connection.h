// An HTTP/2 connection: nghttp2's session between a Transport and the H2Streams of its calls.
//
// Framing, HPACK, settings and flow-control windows are the library's; this class moves bytes,
// finds the stream that an event belongs to, and ends what breaks the rules. ServerConnection and
// ClientConnection add what differs. Loop thread only.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engram/net/connection_lifecycle.h"
#include "engram/net/deadline_timer.h"
#include "engram/net/h2_stream.h"
#include "engram/net/transport.h"

namespace engram::net::internal {

class H2Connection : public Transport {
 public:
  enum class Side : uint8_t { kServer, kClient };

  // Per stream and for the whole connection. The second is the bound on what one connection can
  // make us hold of streams that nobody reads. nghttp2 gives back what was acknowledged in halves
  // of the window, so half as many such streams, 32, leave the others of the connection unharmed.
  static constexpr uint32_t kStreamWindowBytes = 1u << 20;
  static constexpr int32_t kConnectionWindowBytes = 64 << 20;

  H2Connection(EventLoop& loop, SocketIo io, Side side, const LifecycleLimits& limits);
  ~H2Connection() override;

  nghttp2_session* session() { return session_; }
  // What its streams hold of the loop's gauge bytes_held.
  size_t bytes_held() const { return bytes_held_; }
  void AddBytesHeld(size_t now, size_t before) { bytes_held_ += now - before; }
  bool has_streams() const { return !streams_.empty(); }

  // For streams.
  void Acknowledge(int32_t stream_id, size_t bytes);
  void AcknowledgeConnection(size_t bytes);
  void ResumeData(int32_t stream_id);
  void ResetStream(int32_t stream_id, uint32_t http2_error);
  // False: the stream still waits for its turn, the peer cannot know of it.
  bool HasOpened(int32_t stream_id) const;
  // Begins to watch the stream's deadline.
  void WatchDeadline(TimePoint deadline) { deadlines_.Watch(deadline); }

 protected:
  StreamList& streams() { return streams_; }
  void AddStream(H2Stream& stream, int32_t id);
  // The first frames: settings and the connection's window.
  void SubmitPreface(const nghttp2_settings_entry* settings, size_t count);
  // Takes nothing more in, sends GOAWAY and closes once that is out.
  void Terminate(uint32_t http2_error);
  bool terminating() const { return termination_.has_value(); }
  // Begins to live: reads, and watches the time.
  void Begin();
  // Ends every stream and stops watching; for OnClosed().
  void LoseStreams(std::string_view reason);

  // The beginning of a request's header list (server only).
  virtual void OnRequestBegin(int32_t /*stream_id*/) {}
  // Any complete frame, after its stream has been told.
  virtual void OnFrame(const nghttp2_frame& /*frame*/) {}
  // Frames are about to be sent; nothing is received meanwhile.
  virtual void BeforeSend() {}
  virtual void OnFrameSent(const nghttp2_frame& /*frame*/) {}
  virtual void OnStreamClosed(uint32_t /*http2_error*/) {}
  // The time has come to drain or close the connection.
  virtual void OnDue(ConnectionLifecycle::Due due) = 0;

  // Transport
  void OnBytes(const uint8_t* data, size_t size) override;
  bool FillOutput(std::string& out) override;
  void OnTaken() override { lifecycle_.OnAlive(EventLoop::Now()); }
  void OnFlushed() override;

 private:
  friend struct H2Callbacks;

  H2Stream* Find(int32_t stream_id);
  // What was received cannot be taken.
  void Fail(int nghttp2_error);
  void HandleFrame(const nghttp2_frame& frame);
  void HandleStreamClosed(uint32_t http2_error);
  void ExpireStreams(TimePoint now);
  void AwaitNextTick();
  void Tick();

  nghttp2_session* session_ = nullptr;
  size_t bytes_held_ = 0;
  std::string* out_ = nullptr;           // during FillOutput
  std::optional<uint32_t> termination_;  // the code of the GOAWAY that ends the connection
  StreamList streams_;
  DeadlineTimer deadlines_;
  ConnectionLifecycle lifecycle_;
  EventLoop::Timer tick_timer_;
};

}  // namespace engram::net::internal
