#include "engram/cluster/ares_channel.h"

#include <fmt/format.h>
#include <sys/time.h>

#include <utility>

#include "engram/base/error.h"

namespace engram::cluster::internal {
namespace {

// How long a server is given the first time; c-ares doubles it for each further round.
constexpr int kTryMillis = 1000;
constexpr int kTries = 3;

absl::Status CannotOpen(int code) {
  return MakeError(engram::ErrorCode::kInternal,
                   fmt::format("cannot set up DNS: {}", ares_strerror(code)));
}

// Once in the life of the process, whichever loop asks first.
int InitializeLibrary() {
  static const int kResult = ares_library_init(ARES_LIB_INIT_ALL);
  return kResult;
}

}  // namespace

// A socket of c-ares, which opens and closes it.
struct AresChannel::Watched {
  Watched(net::EventLoop& loop, ares_socket_t socket) : descriptor(loop.context()) {
    boost::system::error_code ignored;  // then it is never ready, and the question times out
    descriptor.assign(socket, ignored);
  }
  ~Watched() { descriptor.release(); }

  boost::asio::posix::stream_descriptor descriptor;
  bool wanted[2] = {false, false};
  bool awaited[2] = {false, false};
};

AresChannel::AresChannel(net::EventLoop& loop) : loop_(loop), timer_(loop) {}

AresChannel::~AresChannel() { Close(); }

absl::StatusOr<std::shared_ptr<AresChannel>> AresChannel::Open(net::EventLoop& loop,
                                                               const std::string& servers) {
  if (const int code = InitializeLibrary(); code != ARES_SUCCESS) return CannotOpen(code);
  std::shared_ptr<AresChannel> channel(new AresChannel(loop));
  ares_options options{};
  options.timeout = kTryMillis;
  options.tries = kTries;
  options.sock_state_cb_data = channel.get();
  options.sock_state_cb = [](void* self, ares_socket_t socket, int read, int write) {
    static_cast<AresChannel*>(self)->OnSocketState(socket, read != 0, write != 0);
  };
  const int code = ares_init_options(&channel->channel_, &options,
                                     ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (code != ARES_SUCCESS) return CannotOpen(code);
  if (servers.empty()) return channel;
  if (ares_set_servers_ports_csv(channel->channel_, servers.c_str()) != ARES_SUCCESS) {
    return InvalidArgument("dns-servers", fmt::format("\"{}\" are no DNS servers", servers));
  }
  return channel;
}

void AresChannel::OnSocketState(ares_socket_t socket, bool read, bool write) {
  if (!read && !write) {
    const auto it = watched_.find(socket);
    if (it == watched_.end()) return;
    it->second->descriptor.release();  // before c-ares closes it
    watched_.erase(it);
    return;
  }
  std::shared_ptr<Watched>& watched = watched_[socket];
  if (watched == nullptr) watched = std::make_shared<Watched>(loop_, socket);
  watched->wanted[static_cast<size_t>(Direction::kRead)] = read;
  watched->wanted[static_cast<size_t>(Direction::kWrite)] = write;
  Await(watched, Direction::kRead);
  Await(watched, Direction::kWrite);
}

void AresChannel::Await(const std::shared_ptr<Watched>& watched, Direction direction) {
  using Descriptor = boost::asio::posix::stream_descriptor;
  const auto i = static_cast<size_t>(direction);
  if (!watched->wanted[i] || watched->awaited[i]) return;
  watched->awaited[i] = true;
  watched->descriptor.async_wait(
      direction == Direction::kRead ? Descriptor::wait_read : Descriptor::wait_write,
      [self = shared_from_this(), watched, direction](const boost::system::error_code& error) {
        watched->awaited[static_cast<size_t>(direction)] = false;
        if (!error) self->OnReady(watched, direction);
      });
}

void AresChannel::OnReady(const std::shared_ptr<Watched>& watched, Direction direction) {
  // c-ares may have closed it since, and its number may be another one's by now.
  if (channel_ == nullptr || !watched->descriptor.is_open()) return;
  const ares_socket_t socket = watched->descriptor.native_handle();
  ares_process_fd(channel_, direction == Direction::kRead ? socket : ARES_SOCKET_BAD,
                  direction == Direction::kWrite ? socket : ARES_SOCKET_BAD);
  if (watched->descriptor.is_open()) Await(watched, direction);
  Watch();
}

void AresChannel::Watch() {
  timeval left{};
  if (channel_ == nullptr || ares_timeout(channel_, nullptr, &left) == nullptr) {
    return timer_.Cancel();
  }
  const Duration wait = std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
  timer_.RunAt(net::EventLoop::Now() + wait, [this] {
    const std::shared_ptr<AresChannel> keep = shared_from_this();
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    Watch();
  });
}

void AresChannel::Close() {
  if (channel_ == nullptr) return;
  timer_.Cancel();
  ares_destroy(std::exchange(channel_, nullptr));
}

}  // namespace engram::cluster::internal
