#include "engram/net/h2_callbacks.h"

#include <span>
#include <string_view>

#include "engram/net/h2_connection.h"

namespace engram::net::internal {
namespace {

std::string_view View(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

H2Connection& ConnectionOf(void* user_data) { return *static_cast<H2Connection*>(user_data); }

}  // namespace

// A call-back that finds the connection closed stops nghttp2: whoever closed it no longer expects
// to be called.
struct H2Callbacks {
  static int Verdict(const H2Connection& connection) {
    return connection.closed() ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }
  // Of call-backs that only receiving has: a connection that is being terminated takes nothing
  // more.
  static int VerdictOnReceived(const H2Connection& connection) {
    return connection.termination_.has_value() ? NGHTTP2_ERR_CALLBACK_FAILURE : Verdict(connection);
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Connection& connection = ConnectionOf(user_data);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) connection.OnRequestBegin(frame->hd.stream_id);
    return VerdictOnReceived(connection);
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* user_data) {
    H2Connection& connection = ConnectionOf(user_data);
    if (H2Stream* stream = connection.Find(frame->hd.stream_id)) {
      stream->OnHeader(View(name, name_size), View(value, value_size));
    }
    return VerdictOnReceived(connection);
  }

  static int OnDataChunk(nghttp2_session*, uint8_t, int32_t stream_id, const uint8_t* data,
                         size_t size, void* user_data) {
    H2Connection& connection = ConnectionOf(user_data);
    if (H2Stream* stream = connection.Find(stream_id)) {
      stream->OnData(std::span(data, size));
    } else {
      connection.Acknowledge(stream_id, size);
    }
    return VerdictOnReceived(connection);
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Connection& connection = ConnectionOf(user_data);
    connection.HandleFrame(*frame);
    return VerdictOnReceived(connection);
  }

  static int OnFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Connection& connection = ConnectionOf(user_data);
    connection.OnFrameSent(*frame);
    return Verdict(connection);
  }

  static int OnStreamClose(nghttp2_session*, int32_t stream_id, uint32_t error, void* user_data) {
    H2Connection& connection = ConnectionOf(user_data);
    H2Stream* stream = connection.Find(stream_id);
    if (stream == nullptr) return 0;
    const std::shared_ptr<H2Stream> keep = stream->shared_from_this();
    stream->Detach();
    connection.HandleStreamClosed(error);
    stream->OnClosed(error);
    return Verdict(connection);
  }

  static ssize_t ReadData(nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags,
                          nghttp2_data_source* source, void*) {
    H2Stream& stream = *static_cast<H2Stream*>(source->ptr);
    const H2Stream::Source next = stream.NextData(length);
    if (next.deferred) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (next.end) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (stream.OnSendEnd()) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    }
    return static_cast<ssize_t>(next.bytes);
  }

  static int SendData(nghttp2_session*, nghttp2_frame*, const uint8_t* frame_head, size_t length,
                      nghttp2_data_source* source, void* user_data) {
    constexpr size_t kFrameHeadBytes = 9;
    std::string& out = *ConnectionOf(user_data).out_;
    out.append(reinterpret_cast<const char*>(frame_head), kFrameHeadBytes);
    static_cast<H2Stream*>(source->ptr)->CopyData(out, length);
    return 0;
  }
};

nghttp2_data_provider DataProviderOf(H2Stream& stream) {
  nghttp2_data_provider provider;
  provider.source.ptr = &stream;
  provider.read_callback = H2Callbacks::ReadData;
  return provider;
}

const nghttp2_session_callbacks* SessionCallbacks() {
  static const nghttp2_session_callbacks* const kCallbacks = [] {
    nghttp2_session_callbacks* c = nullptr;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, H2Callbacks::OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(c, H2Callbacks::OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, H2Callbacks::OnDataChunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, H2Callbacks::OnFrame);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, H2Callbacks::OnFrameSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, H2Callbacks::OnStreamClose);
    nghttp2_session_callbacks_set_send_data_callback(c, H2Callbacks::SendData);
    return c;
  }();
  return kCallbacks;
}

const nghttp2_option* SessionOptions() {
  static const nghttp2_option* const kOptions = [] {
    constexpr uint64_t kUnlimited = 1u << 30;
    nghttp2_option* o = nullptr;
    nghttp2_option_new(&o);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_outbound_ack(o, 1000);
    nghttp2_option_set_max_settings(o, 32);
    // FloodGuard decides on resets: it tells attackers from busy peers, the library's bucket does
    // not.
    nghttp2_option_set_stream_reset_rate_limit(o, kUnlimited, kUnlimited);
    return o;
  }();
  return kOptions;
}

}  // namespace engram::net::internal
