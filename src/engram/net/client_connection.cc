#include "engram/net/client_connection.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <array>
#include <limits>
#include <utility>
#include <vector>

#include "engram/base/error.h"
#include "engram/net/grpc_timeout.h"
#include "engram/net/h2_callbacks.h"
#include "engram/net/header_block.h"

namespace engram::net::internal {
namespace {

// Stream ids run out after a thousand million calls; the connection is replaced a little earlier.
constexpr int32_t kStreamIdMax = std::numeric_limits<int32_t>::max() - 1000;

}  // namespace

ClientConnection::ClientConnection(EventLoop& loop, SocketIo io, std::string authority,
                                   const ChannelOptions& options, Owner& owner)
    : H2Connection(loop, std::move(io), Side::kClient,
                   {.keepalive_interval = options.keepalive_interval,
                    .keepalive_timeout = options.keepalive_timeout}),
      authority_(std::move(authority)),
      options_(options),
      owner_(&owner) {}

void ClientConnection::Start() {
  const std::array<nghttp2_settings_entry, 3> settings = {{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(options_.header_bytes_max)},
  }};
  SubmitPreface(settings.data(), settings.size());
  Begin();
}

void ClientConnection::Submit(ClientCall& call, std::string_view method) {
  const bool has_deadline = call.deadline() != kNever;
  const Duration left = has_deadline ? call.deadline() - EventLoop::Now() : Duration::max();
  if (left <= Duration::zero()) return call.OnDeadline();
  const TimeoutText timeout(left);
  HeaderBlock block;
  block.AddStatic(":method", "POST");
  block.AddStatic(":scheme", options_.tls == nullptr ? "http" : "https");
  block.AddRepeated(":path", method);
  block.AddRepeated(":authority", authority_);
  call.AppendHeaders(block, timeout);
  const nghttp2_data_provider provider = DataProviderOf(call);
  const int32_t id = nghttp2_submit_request(session(), nullptr, block.data(), block.size(),
                                            &provider, static_cast<H2Stream*>(&call));
  if (id < 0) {
    return call.EndLocally(MakeError(ErrorCode::kInternal, nghttp2_strerror(id)),
                           Delivery::kNotSent);
  }
  AddStream(call, id);
  WatchDeadline(call.deadline());
  FlushSoon();
  if (id >= kStreamIdMax) Leave();
}

void ClientConnection::Leave() {
  nghttp2_submit_goaway(session(), NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  FlushSoon();
  Retire();
}

void ClientConnection::OnFrame(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_GOAWAY) return OnGoaway(frame);
  if (ready_ || frame.hd.type != NGHTTP2_SETTINGS || (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0)
    return;
  ready_ = true;
  if (owner_ != nullptr) owner_->OnReady(*this);
}

void ClientConnection::OnGoaway(const nghttp2_frame& frame) {
  // nghttp2 has closed the streams that the peer has not begun (REFUSED_STREAM). Those that still
  // wait for their turn will not get one.
  std::vector<std::shared_ptr<H2Stream>> unopened;
  for (H2Stream& stream : streams()) {
    if (!HasOpened(stream.id())) unopened.push_back(stream.shared_from_this());
  }
  const std::string message =
      fmt::format("the peer is going away ({})", nghttp2_http2_strerror(frame.goaway.error_code));
  for (const auto& stream : unopened) {
    static_cast<ClientCall&>(*stream).EndLocally(MakeError(ErrorCode::kShuttingDown, message),
                                                 Delivery::kNotSent);
  }
  Retire();
}

void ClientConnection::Retire() {
  if (std::exchange(retired_, true)) return;
  if (owner_ != nullptr) owner_->OnRetired(*this);
}

void ClientConnection::OnDue(ConnectionLifecycle::Due) {
  // The only limits set are those of keep-alive.
  loop().counters().keepalives_missed.Add();
  Close("the peer did not answer a keep-alive ping");
}

void ClientConnection::OnClosed(std::string_view reason) {
  if (ready_) loop().counters().connections_lost.Add();
  LoseStreams(reason);
  if (owner_ != nullptr) std::exchange(owner_, nullptr)->OnLost(*this, reason);
}

}  // namespace engram::net::internal
