#include "engram/cluster/advertise.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <optional>

#include "engram/base/error.h"
#include "engram/net/endpoint.h"

namespace engram::cluster {
namespace {

namespace ip = boost::asio::ip;

absl::Status Refused(const Advertised& advertised, std::string_view why) {
  ErrorDetail detail;
  detail.code = ErrorCode::kInvalidEndpoint;
  detail.field = advertised.key;
  return MakeError(detail, fmt::format("others cannot dial {}: {}; set `{}` to a host:port of this "
                                       "node that they can",
                                       advertised.address, why, advertised.key));
}

std::optional<ip::address> Numeric(const std::string& host) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(host, error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  }
  return address;
}

// "" if others may dial it, loopback aside.
std::string_view WhyNobodyDials(const ip::address& address) {
  if (address.is_unspecified()) return "it stands for any address";
  if (address.is_multicast()) return "it is a multicast address";
  if (address.is_v6()) {
    return address.to_v6().is_link_local() ? "it is link-local, which means another interface "
                                             "on each machine"
                                           : "";
  }
  if (address.to_v4() == ip::address_v4::broadcast()) return "it is the broadcast address";
  // RFC 1122, 3.2.1.3.
  return address.to_v4().to_bytes()[0] == 0 ? "0.x.x.x is no host's address" : "";
}

bool IsLocalhost(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");  // RFC 6761, 6.3
}

// The first seed that is certainly on another machine, if this node is on loopback.
const std::string* SeedElsewhere(std::span<const std::string> seeds) {
  const auto elsewhere = [](const std::string& seed) {
    const absl::StatusOr<net::Endpoint> endpoint = net::ParseEndpoint(seed);
    if (!endpoint.ok()) return false;
    const std::optional<ip::address> address = Numeric(endpoint->host);
    return address.has_value() && !address->is_loopback();
  };
  const auto found = std::find_if(seeds.begin(), seeds.end(), elsewhere);
  return found == seeds.end() ? nullptr : &*found;
}

absl::Status CheckAddress(const Advertised& advertised, const ip::address& address,
                          std::string_view prefix, std::span<const std::string> seeds) {
  if (const std::string_view why = WhyNobodyDials(address); !why.empty()) {
    return Refused(advertised, fmt::format("{}{}", prefix, why));
  }
  const std::string* elsewhere = address.is_loopback() ? SeedElsewhere(seeds) : nullptr;
  if (elsewhere == nullptr) return absl::OkStatus();
  return Refused(
      advertised,
      fmt::format("{}it is this machine's loopback, which is allowed only if all seeds are on "
                  "loopback, too, or there are none, but seed {} is not",
                  prefix, *elsewhere));
}

}  // namespace

absl::Status CheckAdvertised(const Advertised& advertised, std::span<const std::string> seeds) {
  const absl::StatusOr<net::Endpoint> endpoint = net::ParseListenEndpoint(advertised.address);
  if (!endpoint.ok()) return Refused(advertised, "it is not a host:port");
  if (endpoint->port == 0) return Refused(advertised, "port 0 is none");
  std::optional<ip::address> address = Numeric(endpoint->host);
  if (!address.has_value() && IsLocalhost(endpoint->host)) address = ip::address_v4::loopback();
  if (!address.has_value()) return absl::OkStatus();
  return CheckAddress(advertised, *address, "", seeds);
}

bool IsAdvertisedByName(std::string_view address) {
  const absl::StatusOr<net::Endpoint> endpoint = net::ParseListenEndpoint(address);
  return endpoint.ok() && !Numeric(endpoint->host).has_value();
}

absl::Status CheckAdvertisedName(const Advertised& advertised,
                                 const absl::StatusOr<std::vector<std::string>>& resolved,
                                 std::span<const std::string> seeds) {
  if (!resolved.ok()) {
    return Refused(advertised, fmt::format("its name cannot be resolved ({})",
                                           std::string(resolved.status().message())));
  }
  if (resolved->empty()) return Refused(advertised, "its name has no addresses");
  for (const std::string& text : *resolved) {
    const absl::StatusOr<net::Endpoint> endpoint = net::ParseEndpoint(text);
    const std::optional<ip::address> address =
        endpoint.ok() ? Numeric(endpoint->host) : std::nullopt;
    if (!address.has_value()) return Refused(advertised, "its name has no addresses");
    const std::string prefix = fmt::format("its name stands for {} here: ", endpoint->host);
    if (absl::Status status = CheckAddress(advertised, *address, prefix, seeds); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace engram::cluster
