// A whole server connection, from nghttp2 through gRPC's framing to handlers that echo, under a
// client of arbitrary bytes.
//
// Input: Mode, then what the client sends; if polite, after the preface and its SETTINGS. Whatever
// that is, the connection and its calls are gone once the client is.
#include <cstdlib>
#include <memory>

#include "engram/net/server_connection.h"
#include "engram/net/testing/echo.h"
#include "engram/net/testing/raw_peer.h"
#include "fuzz/fed_socket.h"

namespace engram::fuzz {
namespace {

namespace internal = net::internal;

std::shared_ptr<internal::MethodTable> EchoMethods() {
  auto methods = std::make_shared<internal::MethodTable>();
  methods->Add(net::testing::kUnary, net::testing::EchoUnary, nullptr);
  methods->Add(net::testing::kBidi, nullptr, net::testing::EchoBidi);
  return methods;
}

// Bounds so low that an input of a few kilobytes goes beyond them.
std::shared_ptr<const internal::PeerInfo> Peer() {
  static const auto kPeer = std::make_shared<const internal::PeerInfo>(internal::PeerInfo{
      EchoMethods(), "fuzzer", {4096, 1024, 8000}, {2048, 1024}, std::chrono::hours(1)});
  return kPeer;
}

constexpr internal::ConnectionLimits kLimits = {20, 2048, {}, {10, 50}};

void Serve(const Mode& mode, std::span<const uint8_t> input) {
  static net::EventLoop* const kLoop = new net::EventLoop;
  FedSocket socket(*kLoop, mode.reader);
  const uint64_t closed_before = kLoop->counters().connections_closed.value();
  std::weak_ptr<internal::ServerConnection> watched;
  {
    const auto connection = std::make_shared<internal::ServerConnection>(
        *kLoop, socket.Take(), Peer(), kLimits, [](internal::ServerConnection&) {});
    watched = connection;
    connection->Serve();
  }
  if (mode.polite) {
    const std::string begin(
        std::string(net::testing::kPreface) +
        net::testing::Encode(net::testing::Frame{net::testing::kSettings, 0, 0, ""}));
    socket.Feed({reinterpret_cast<const uint8_t*>(begin.data()), begin.size()}, begin.size());
  }
  socket.Feed(input, mode.piece);
  socket.Hangup();
  if (!watched.expired()) std::abort();
  if (kLoop->counters().connections_closed.value() != closed_before + 1) std::abort();
  if (kLoop->counters().bytes_held.value() != 0) std::abort();
}

}  // namespace
}  // namespace engram::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0) engram::fuzz::Serve(engram::fuzz::Mode(data[0]), {data + 1, size - 1});
  return 0;
}
