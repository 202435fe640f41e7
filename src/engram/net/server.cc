#include "engram/net/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engram/net/acceptor.h"
#include "engram/net/address_counts.h"
#include "engram/net/server_connection.h"

namespace engram::net {

using internal::ServerConnection;

namespace {

constexpr char kShuttingDown[] = "the server is shutting down";

// The connections of one loop, touched on that loop only.
using ConnectionMap = absl::flat_hash_map<ServerConnection*, std::shared_ptr<ServerConnection>>;

std::string NameOf(const boost::asio::ip::tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  if (endpoint.address().is_v6()) return fmt::format("[{}]:{}", host, endpoint.port());
  return fmt::format("{}:{}", host, endpoint.port());
}

// An accepted socket on its way to its loop.
struct Accept {
  internal::Socket socket;
  std::string peer;     // "host:port"
  std::string counted;  // for AddressCounts
};

// How many things of the server live on the loops: open connections, and the acceptor. Drain()
// waits for zero. Any thread. With the standard's mutex: ThreadSanitizer cannot look into Abseil's,
// and this is no hot path.
class LiveCount {
 public:
  void Increment() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void Decrement() {
    const std::lock_guard lock(mutex_);
    if (--count_ == 0) zero_.notify_all();
  }
  int64_t value() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  void AwaitZero() {
    std::unique_lock lock(mutex_);
    zero_.wait(lock, [this] { return count_ == 0; });
  }
  // False: `deadline` passed first.
  bool AwaitZeroUntil(TimePoint deadline) {
    std::unique_lock lock(mutex_);
    return zero_.wait_until(lock, deadline, [this] { return count_ == 0; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable zero_;
  int64_t count_ = 0;
};

}  // namespace

struct Server::Impl {
  Impl(EventLoopGroup& l, ServerOptions o)
      : loops(l),
        options(std::move(o)),
        connections(l.size()),
        served(l.size()),
        addresses(options.connections_per_address_max),
        acceptor(
            std::make_shared<internal::Acceptor>(l, [this](size_t index, internal::Socket socket) {
              Accepted(index, std::move(socket));
            })) {}

  void Accepted(size_t loop_index, internal::Socket socket);
  void Serve(size_t loop_index, Accept accept);
  internal::ConnectionLimits LimitsOfNext(size_t loop_index);
  void Remove(size_t loop_index, ServerConnection& connection);
  void BeginDrain();
  // Runs `act` on every connection, each on its loop.
  template <class Act>
  void ForEachConnection(Act act);

  EventLoopGroup& loops;
  const ServerOptions options;
  std::shared_ptr<internal::MethodTable> methods = std::make_shared<internal::MethodTable>();
  std::vector<ConnectionMap> connections;  // by loop
  std::vector<uint64_t> served;            // connections so far, by loop
  internal::AddressCounts addresses;
  LiveCount live;
  std::atomic<bool> draining{false};
  std::atomic<bool> closing{false};  // the time to drain is over
  bool started = false;
  const std::shared_ptr<internal::Acceptor> acceptor;
};

void Server::Impl::Accepted(size_t loop_index, internal::Socket socket) {
  if (draining) return;
  boost::system::error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;  // gone already
  std::string counted = internal::CountedAddress(remote.address());
  Counters& counters = loops.at(0).counters();
  // The acceptor is one of the live.
  if (live.value() > static_cast<int64_t>(options.connections_max) || !addresses.TryAdd(counted)) {
    counters.connections_refused.Add();
    return;
  }
  counters.connections_accepted.Add();
  live.Increment();
  Accept accept{std::move(socket), NameOf(remote), std::move(counted)};
  if (loop_index == 0) return Serve(loop_index, std::move(accept));
  loops.at(loop_index).Post([this, loop_index, accept = std::move(accept)]() mutable {
    Serve(loop_index, std::move(accept));
  });
}

internal::ConnectionLimits Server::Impl::LimitsOfNext(size_t loop_index) {
  Duration age_max = options.connection_age_max;
  if (age_max != internal::kNoLimit) {
    // Multiples of the golden ratio fall evenly between 0 and 1, whatever their number.
    constexpr double kGolden = 0.6180339887498949;
    double whole = 0;
    const double spread = std::modf(kGolden * static_cast<double>(++served[loop_index]), &whole);
    age_max = std::chrono::duration_cast<Duration>(age_max * (0.9 + 0.2 * spread));
  }
  return {options.concurrent_streams_max,
          options.header_bytes_max,
          {.preface_timeout = options.preface_timeout,
           .first_request_timeout = options.first_request_timeout,
           .idle_max = options.connection_idle_max,
           .age_max = age_max,
           .age_grace = options.connection_age_grace,
           .keepalive_interval = options.keepalive_interval,
           .keepalive_timeout = options.keepalive_timeout},
          {options.resets_max, options.control_frames_max}};
}

void Server::Impl::Serve(size_t loop_index, Accept accept) {
  boost::system::error_code ignored;
  accept.socket.set_option(boost::asio::socket_base::keep_alive(true), ignored);
  auto peer = std::make_shared<internal::PeerInfo>(
      internal::PeerInfo{methods,
                         std::move(accept.peer),
                         {options.message_bytes_max, options.stream_queue_bytes_max,
                          options.bytes_held_max / loops.size()},
                         {options.header_bytes_max, options.metadata_bytes_max},
                         options.unary_limit});
  auto connection = std::make_shared<ServerConnection>(
      loops.at(loop_index), internal::SocketIo(std::move(accept.socket), options.tls.get(), ""),
      std::move(peer), LimitsOfNext(loop_index),
      [this, loop_index, counted = std::move(accept.counted)](ServerConnection& closed) {
        addresses.Remove(counted);
        Remove(loop_index, closed);
      });
  connections[loop_index].emplace(connection.get(), connection);
  connection->Serve();
  if (closing) {
    connection->Close(kShuttingDown);
  } else if (draining) {
    connection->Drain();
  }
}

void Server::Impl::Remove(size_t loop_index, ServerConnection& connection) {
  connections[loop_index].erase(&connection);
  live.Decrement();  // the last touch: Drain() may return and the server be destroyed
}

template <class Act>
void Server::Impl::ForEachConnection(Act act) {
  for (size_t i = 0; i < loops.size(); ++i) {
    live.Increment();
    loops.at(i).Post([this, i, act] {
      const ConnectionMap copy = connections[i];  // closing one removes it
      for (const auto& [pointer, connection] : copy) act(*connection);
      live.Decrement();
    });
  }
}

Server::Server(EventLoopGroup& loops, ServerOptions options)
    : impl_(std::make_unique<Impl>(loops, std::move(options))) {}

Server::~Server() { Drain(TimePoint::min()); }

void Server::AddUnary(std::string_view method, UnaryHandler handler) {
  impl_->methods->Add(method, std::move(handler), nullptr);
}

void Server::AddStream(std::string_view method, StreamHandler handler) {
  impl_->methods->Add(method, nullptr, std::move(handler));
}

void Server::AddFallback(StreamHandler handler) { impl_->methods->SetFallback(std::move(handler)); }

absl::Status Server::Start() {
  absl::Status status = impl_->acceptor->Listen(impl_->options.host, impl_->options.port);
  if (!status.ok()) return status;
  impl_->started = true;
  impl_->live.Increment();
  impl_->loops.at(0).Post([impl = impl_.get()] { impl->acceptor->Accept(); });
  return absl::OkStatus();
}

uint16_t Server::port() const { return impl_->acceptor->port(); }

void Server::Impl::BeginDrain() {
  loops.at(0).Post([this] {
    acceptor->Close();
    live.Decrement();
  });
  ForEachConnection([](ServerConnection& connection) { connection.Drain(); });
}

void Server::Drain(TimePoint deadline) {
  if (!impl_->started) return;
  if (!impl_->draining.exchange(true)) impl_->BeginDrain();
  if (impl_->live.AwaitZeroUntil(std::max(deadline, EventLoop::Now()))) return;
  impl_->closing = true;
  impl_->ForEachConnection([](ServerConnection& connection) { connection.Close(kShuttingDown); });
  impl_->live.AwaitZero();
}

}  // namespace engram::net
