#include "engram/net/udp_socket.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <utility>

#include "engram/base/error.h"
#include "engram/net/endpoint.h"
#include "engram/net/udp_destinations.h"

namespace engram::net {
namespace {

using Udp = boost::asio::ip::udp;
using internal::UdpDestinations;
using internal::UdpReach;
using ErrorCode = boost::system::error_code;

// Any datagram that UDP can carry: what is too large is recognised by its size.
constexpr size_t kReceiveBytes = 64u << 10;
// Of one wake-up; then the loop's timers have their turn.
constexpr int kBatchMax = 256;
// More than any default receive buffer holds, but not endless if datagrams keep coming.
constexpr int kDrainMax = 4096;
// What the kernel keeps while the loop is busy; it gives less if its own limit is lower.
constexpr int kKernelBufferBytes = 1 << 20;

absl::Status CannotListen(std::string_view address, const std::string& reason) {
  return MakeError(engram::ErrorCode::kInvalidEndpoint,
                   fmt::format("cannot listen on UDP {}: {}", address, reason));
}

UdpReach ReachOf(const Udp::endpoint& local) {
  if (local.address().is_v4()) return UdpReach::kIpv4;
  return local.address().is_unspecified() ? UdpReach::kBoth : UdpReach::kIpv6;
}

bool IsUnreachable(const ErrorCode& error) {
  return error == boost::asio::error::network_unreachable ||
         error == boost::asio::error::host_unreachable ||
         error == boost::asio::error::connection_refused ||
         error == boost::asio::error::network_down ||
         // A packet filter.
         error == boost::system::errc::operation_not_permitted ||
         error == boost::asio::error::access_denied;
}

}  // namespace

class UdpSocket::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(EventLoop& loop, const UdpOptions& options, Handler handler)
      : loop_(loop), options_(options), handler_(std::move(handler)), socket_(loop.context()) {}

  absl::Status Bind(std::string_view address);
  void Begin();
  void Send(std::string_view address, std::string_view bytes);
  void Receive(int datagrams_max);
  void Close();

  const Udp::endpoint& local() const { return local_; }
  const UdpCounters& counters() const { return *counters_; }

 private:
  void Open(const Udp::endpoint& endpoint, ErrorCode& error);
  void AwaitMore();
  void HandOver(size_t size, const Udp::endpoint& from);
  void SendTo(const Udp::endpoint& to, std::string_view bytes);
  Counter& DroppedFor(const ErrorCode& error);

  EventLoop& loop_;
  const UdpOptions options_;
  Handler handler_;
  Udp::socket socket_;
  Udp::endpoint local_;
  // Shared with names that are being resolved.
  std::shared_ptr<UdpCounters> counters_ = std::make_shared<UdpCounters>();
  std::shared_ptr<UdpDestinations> destinations_;
  std::array<char, kReceiveBytes> received_;
  std::string from_;
  bool handing_over_ = false;
  bool closed_ = false;
};

absl::Status UdpSocket::Impl::Bind(std::string_view address) {
  const absl::StatusOr<Endpoint> parsed = ParseListenEndpoint(address);
  if (!parsed.ok()) return parsed.status();
  ErrorCode error;
  Udp::resolver resolver(loop_.context());
  const auto found =
      resolver.resolve(parsed->host, std::to_string(parsed->port), Udp::resolver::passive, error);
  if (error) return CannotListen(address, error.message());
  Open(found.begin()->endpoint(), error);
  if (error == boost::asio::error::address_in_use) {
    return CannotListen(address, "it is in use by another process");
  }
  if (error) return CannotListen(address, error.message());
  return absl::OkStatus();
}

void UdpSocket::Impl::Open(const Udp::endpoint& endpoint, ErrorCode& error) {
  socket_.open(endpoint.protocol(), error);
  if (!error && ReachOf(endpoint) == UdpReach::kBoth) {
    socket_.set_option(boost::asio::ip::v6_only(false), error);
  }
  if (!error) socket_.bind(endpoint, error);
  if (!error) socket_.non_blocking(true, error);
  if (!error) local_ = socket_.local_endpoint(error);
  if (error) return;
  ErrorCode ignored;  // a smaller buffer will do
  socket_.set_option(Udp::socket::receive_buffer_size(kKernelBufferBytes), ignored);
}

void UdpSocket::Impl::Begin() {
  destinations_ = std::make_shared<UdpDestinations>(
      loop_, ReachOf(local_), counters_,
      [this](const Udp::endpoint& to, std::string_view bytes) { SendTo(to, bytes); });
  AwaitMore();
}

void UdpSocket::Impl::AwaitMore() {
  socket_.async_wait(Udp::socket::wait_read, [self = shared_from_this()](const ErrorCode& error) {
    if (error || self->closed_) return;
    self->Receive(kBatchMax);
    if (!self->closed_) self->AwaitMore();
  });
}

void UdpSocket::Impl::Receive(int datagrams_max) {
  if (handing_over_) return;  // asked from within the handler: it goes on afterwards anyway
  const std::shared_ptr<Impl> keep = shared_from_this();
  for (int i = 0; i < datagrams_max && !closed_; ++i) {
    Udp::endpoint from;
    ErrorCode error;
    const size_t size = socket_.receive_from(boost::asio::buffer(received_), from, 0, error);
    if (error == boost::asio::error::would_block) return;
    if (error) {
      counters_->receive_errors.Add();
    } else {
      HandOver(size, from);
    }
  }
}

void UdpSocket::Impl::HandOver(size_t size, const Udp::endpoint& from) {
  if (size > options_.datagram_bytes_max) return counters_->received_too_large.Add();
  counters_->received.Add();
  counters_->received_bytes.Add(size);
  internal::WriteEndpoint(from, from_);
  handing_over_ = true;
  handler_(std::string_view(received_.data(), size), from_);
  handing_over_ = false;
}

void UdpSocket::Impl::Send(std::string_view address, std::string_view bytes) {
  if (closed_) return;
  if (bytes.size() > options_.datagram_bytes_max) return counters_->dropped_too_large.Add();
  const Udp::endpoint* to = destinations_->Find(address, bytes, EventLoop::Now());
  if (to != nullptr) SendTo(*to, bytes);
}

void UdpSocket::Impl::SendTo(const Udp::endpoint& to, std::string_view bytes) {
  ErrorCode error;
  socket_.send_to(boost::asio::buffer(bytes), to, 0, error);
  if (error) return DroppedFor(error).Add();
  counters_->sent.Add();
  counters_->sent_bytes.Add(bytes.size());
}

Counter& UdpSocket::Impl::DroppedFor(const ErrorCode& error) {
  if (error == boost::asio::error::would_block || error == boost::asio::error::no_buffer_space) {
    return counters_->dropped_full;
  }
  if (error == boost::asio::error::message_size) return counters_->dropped_too_large;
  if (IsUnreachable(error)) return counters_->dropped_unreachable;
  return counters_->dropped_other;
}

void UdpSocket::Impl::Close() {
  if (std::exchange(closed_, true)) return;
  destinations_->Close();
  ErrorCode ignored;
  socket_.close(ignored);
}

absl::StatusOr<std::unique_ptr<UdpSocket>> UdpSocket::Open(EventLoop& loop,
                                                           std::string_view address,
                                                           const UdpOptions& options,
                                                           Handler handler) {
  auto impl = std::make_shared<Impl>(loop, options, std::move(handler));
  if (absl::Status status = impl->Bind(address); !status.ok()) return status;
  impl->Begin();
  return std::unique_ptr<UdpSocket>(new UdpSocket(std::move(impl)));
}

UdpSocket::UdpSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

UdpSocket::~UdpSocket() { impl_->Close(); }

void UdpSocket::Send(std::string_view address, std::string_view bytes) {
  impl_->Send(address, bytes);
}

void UdpSocket::DrainNow() { impl_->Receive(kDrainMax); }

std::string UdpSocket::address() const {
  std::string text;
  internal::WriteEndpoint(impl_->local(), text);
  return text;
}

uint16_t UdpSocket::port() const { return impl_->local().port(); }

void UdpSocket::Close() { impl_->Close(); }

const UdpCounters& UdpSocket::counters() const { return impl_->counters(); }

}  // namespace engram::net
