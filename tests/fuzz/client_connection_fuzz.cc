// A client's connection with a unary and a streaming call under way, and one that is cancelled,
// under a server of arbitrary bytes.
//
// Input: Mode, then what the server sends; if polite, after its SETTINGS. Whatever that is, each
// call ends exactly once.
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "engram/net/client_connection.h"
#include "engram/net/client_stream.h"
#include "engram/net/testing/raw_peer.h"
#include "fuzz/fed_socket.h"

namespace engram::fuzz {
namespace {

namespace internal = net::internal;

constexpr size_t kHeaderBytesMax = 2048;

class Owner final : public internal::ClientConnection::Owner {
 public:
  explicit Owner(net::EventLoop& loop) : loop_(loop) {}

  void CheckEnded() const {
    if (lost_ != 1) std::abort();
    for (size_t i = 0; i < ends_.size(); ++i) {
      if (ends_[i] != (i < begun_ ? 1 : 0)) std::abort();
    }
  }

 private:
  void OnReady(internal::ClientConnection& connection) override {
    const auto unary = Begin(connection);
    unary->SetRequest("request");
    connection.Submit(*unary, "/test.Echo/Unary");
    const auto streaming = Begin(connection);
    streaming->SetStreaming();
    connection.Submit(*streaming, "/test.Echo/Bidi");
    stream_.emplace(streaming);
    stream_->Send("message");
    ReadAll();
    const auto cancelled = Begin(connection);
    cancelled->SetRequest("nobody waits");
    connection.Submit(*cancelled, "/test.Echo/Unary");
    loop_.Post([cancelled] { cancelled->Cancel(); });
  }
  void OnRetired(internal::ClientConnection& /*connection*/) override {}
  void OnLost(internal::ClientConnection& /*connection*/, std::string_view /*reason*/) override {
    ++lost_;
  }

  std::shared_ptr<internal::ClientCall> Begin(internal::ClientConnection& /*connection*/) {
    int& ends = ends_[begun_++];
    return std::make_shared<internal::ClientCall>(
        loop_, internal::ClientCall::Limits{{4096, 1024}, kHeaderBytesMax}, net::CallOptions{},
        [&ends](const net::CallResult&) { ++ends; });
  }
  void ReadAll() {
    stream_->Read([this](const std::optional<std::string>& message) {
      if (message.has_value()) ReadAll();
    });
  }

  net::EventLoop& loop_;
  std::array<int, 3> ends_{};
  size_t begun_ = 0;
  int lost_ = 0;
  std::optional<internal::ClientStream> stream_;
};

void Connect(const Mode& mode, std::span<const uint8_t> input) {
  static net::EventLoop* const kLoop = new net::EventLoop;
  net::ChannelOptions options;
  options.header_bytes_max = kHeaderBytesMax;
  FedSocket socket(*kLoop, mode.reader);
  Owner owner(*kLoop);
  auto connection =
      std::make_shared<internal::ClientConnection>(*kLoop, socket.Take(), "fuzzer", options, owner);
  const std::weak_ptr<internal::ClientConnection> watched = connection;
  connection->Start();
  connection.reset();
  if (mode.polite) {
    const std::string begin =
        net::testing::Encode(net::testing::Frame{net::testing::kSettings, 0, 0, ""});
    socket.Feed({reinterpret_cast<const uint8_t*>(begin.data()), begin.size()}, begin.size());
  }
  socket.Feed(input, mode.piece);
  socket.Hangup();
  owner.CheckEnded();
  if (!watched.expired()) std::abort();
}

}  // namespace
}  // namespace engram::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) engram::fuzz::Connect(engram::fuzz::Mode(data[0]), {data + 1, size - 1});
  return 0;
}
