// Where datagrams go: "ip:port" and "name:port" as endpoints that one socket can send to.
//
// Both are kept, so that a datagram costs one look-up in a hash map. Addresses come from whoever
// sends datagrams, forged ones included, so their number is bounded; when there is no more room all
// that are not being resolved are forgotten, which costs no more than to find them again.
//
// Held by the socket and by the resolving under way. Loop thread only.
#pragma once

#include <boost/asio/ip/udp.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/base/string_hash.h"
#include "engram/base/time.h"
#include "engram/net/event_loop.h"
#include "engram/net/udp_socket.h"

namespace engram::net::internal {

// Which addresses a socket can send to.
enum class UdpReach : uint8_t {
  kIpv4,
  kIpv6,
  kBoth,  // an IPv6 socket to which IPv4 addresses are mapped (RFC 4291, 2.5.5.2)
};

using UdpEndpoint = boost::asio::ip::udp::endpoint;

class UdpDestinations : public std::enable_shared_from_this<UdpDestinations> {
 public:
  // A name that datagrams wait for has been found.
  using Deliver = absl::AnyInvocable<void(const UdpEndpoint& to, std::string_view bytes)>;

  static constexpr size_t kKnownMax = 4096;
  static constexpr size_t kResolvingMax = 64;
  static constexpr size_t kWaitingMax = 4;
  static constexpr Duration kNameKept = std::chrono::seconds(30);
  // A name that was not found is not looked up again for so long.
  static constexpr Duration kFailureKept = std::chrono::seconds(1);

  // `counters` outlives it.
  UdpDestinations(EventLoop& loop, UdpReach reach, std::shared_ptr<UdpCounters> counters,
                  Deliver deliver);

  // Where a datagram to `address` goes now; nullptr if there is nowhere yet, or ever: then it is
  // kept or counted as dropped. Valid until the next call.
  const UdpEndpoint* Find(std::string_view address, std::string_view bytes, TimePoint now);

  size_t known() const { return known_.size(); }

  // Nothing is delivered any more.
  void Close();

 private:
  struct Destination {
    std::optional<UdpEndpoint> endpoint;
    bool resolving = false;
    TimePoint resolve_again = kNever;
    std::vector<std::string> waiting;
  };

  Destination* Add(std::string_view address, TimePoint now);
  void OnResolved(const std::string& address, std::optional<UdpEndpoint> found);
  void ResolveAgain(std::string_view address, Destination& destination);
  void KeepOrDrop(Destination& destination, std::string_view bytes);
  void MakeRoom();
  std::optional<UdpEndpoint> Usable(const UdpEndpoint& endpoint) const;

  const UdpReach reach_;
  const std::shared_ptr<UdpCounters> counters_;
  Deliver deliver_;
  boost::asio::ip::udp::resolver resolver_;
  StringMap<Destination> known_;
  size_t resolving_ = 0;
  bool closed_ = false;
};

// "ip:port" of `endpoint` into `out`, an IPv4 address as such even if it is mapped into IPv6.
void WriteEndpoint(const UdpEndpoint& endpoint, std::string& out);

}  // namespace engram::net::internal
