#include "engram/net/udp_destinations.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <iterator>
#include <utility>

#include "engram/net/endpoint.h"

namespace engram::net::internal {

using Udp = boost::asio::ip::udp;
namespace ip = boost::asio::ip;

UdpDestinations::UdpDestinations(EventLoop& loop, UdpReach reach,
                                 std::shared_ptr<UdpCounters> counters, Deliver deliver)
    : reach_(reach),
      counters_(std::move(counters)),
      deliver_(std::move(deliver)),
      resolver_(loop.context()) {}

const UdpEndpoint* UdpDestinations::Find(std::string_view address, std::string_view bytes,
                                         TimePoint now) {
  const auto it = known_.find(address);
  Destination* destination = it == known_.end() ? Add(address, now) : &it->second;
  if (destination == nullptr) return nullptr;
  if (now >= destination->resolve_again) ResolveAgain(address, *destination);
  if (destination->endpoint.has_value()) return &*destination->endpoint;
  KeepOrDrop(*destination, bytes);
  return nullptr;
}

UdpDestinations::Destination* UdpDestinations::Add(std::string_view address, TimePoint now) {
  const absl::StatusOr<Endpoint> parsed = ParseEndpoint(address);
  if (!parsed.ok()) {
    counters_->dropped_bad_address.Add();
    return nullptr;
  }
  Destination added;
  boost::system::error_code not_numeric;
  const ip::address numeric = ip::make_address(parsed->host, not_numeric);
  if (not_numeric) {
    added.resolve_again = now;
  } else {
    added.endpoint = Usable(UdpEndpoint(numeric, parsed->port));
    if (!added.endpoint.has_value()) {
      counters_->dropped_unreachable.Add();
      return nullptr;
    }
  }
  MakeRoom();
  return &known_.emplace(address, std::move(added)).first->second;
}

void UdpDestinations::MakeRoom() {
  if (known_.size() < kKnownMax) return;
  absl::erase_if(known_, [](const auto& entry) { return !entry.second.resolving; });
}

// The thread that resolves belongs to Asio; a name that takes long holds up the others, but no
// datagram to an address.
void UdpDestinations::ResolveAgain(std::string_view address, Destination& destination) {
  if (resolving_ >= kResolvingMax) return;
  const absl::StatusOr<Endpoint> parsed = ParseEndpoint(address);
  ++resolving_;
  destination.resolving = true;
  destination.resolve_again = kNever;
  resolver_.async_resolve(
      parsed->host, std::to_string(parsed->port),
      [self = shared_from_this(), name = std::string(address)](
          const boost::system::error_code&, const Udp::resolver::results_type& results) {
        std::optional<UdpEndpoint> found;
        for (auto it = results.begin(); it != results.end() && !found.has_value(); ++it) {
          found = self->Usable(it->endpoint());
        }
        self->OnResolved(name, found);
      });
}

void UdpDestinations::OnResolved(const std::string& address, std::optional<UdpEndpoint> found) {
  if (closed_) return;
  --resolving_;
  (found.has_value() ? counters_->names_resolved : counters_->names_failed).Add();
  Destination& destination = known_.at(address);
  destination.resolving = false;
  destination.resolve_again = EventLoop::Now() + (found.has_value() ? kNameKept : kFailureKept);
  // A name server that does not answer for a while takes nobody out of reach.
  if (found.has_value()) destination.endpoint = found;
  const std::vector<std::string> waiting = std::exchange(destination.waiting, {});
  if (!found.has_value()) return counters_->dropped_unresolved.Add(waiting.size());
  for (const std::string& bytes : waiting) deliver_(*found, bytes);
}

void UdpDestinations::KeepOrDrop(Destination& destination, std::string_view bytes) {
  if (destination.resolving && destination.waiting.size() < kWaitingMax) {
    destination.waiting.emplace_back(bytes);
  } else {
    counters_->dropped_unresolved.Add();
  }
}

std::optional<UdpEndpoint> UdpDestinations::Usable(const UdpEndpoint& endpoint) const {
  const ip::address address = endpoint.address();
  if (reach_ == UdpReach::kIpv4) {
    return address.is_v4() ? std::optional(endpoint) : std::nullopt;
  }
  if (address.is_v6()) return endpoint;
  if (reach_ == UdpReach::kIpv6) return std::nullopt;
  return UdpEndpoint(ip::make_address_v6(ip::v4_mapped, address.to_v4()), endpoint.port());
}

void UdpDestinations::Close() {
  closed_ = true;
  resolver_.cancel();
}

void WriteEndpoint(const UdpEndpoint& endpoint, std::string& out) {
  out.clear();
  const ip::address address = endpoint.address();
  const bool mapped = address.is_v6() && address.to_v6().is_v4_mapped();
  if (address.is_v6() && !mapped) {
    fmt::format_to(std::back_inserter(out), "[{}]:{}", address.to_string(), endpoint.port());
    return;
  }
  const ip::address_v4 v4 =
      mapped ? ip::make_address_v4(ip::v4_mapped, address.to_v6()) : address.to_v4();
  const auto b = v4.to_bytes();
  fmt::format_to(std::back_inserter(out), "{}.{}.{}.{}:{}", b[0], b[1], b[2], b[3],
                 endpoint.port());
}

}  // namespace engram::net::internal
