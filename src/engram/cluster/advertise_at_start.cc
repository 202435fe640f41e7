#include "engram/cluster/advertise_at_start.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <vector>

#include "engram/base/error.h"
#include "engram/cluster/seed.h"
#include "engram/net/endpoint.h"

namespace engram::cluster {
namespace {

using Tcp = boost::asio::ip::tcp;

// REQUIRES: `address` is a host:port.
absl::StatusOr<std::vector<std::string>> Resolve(std::string_view address) {
  const absl::StatusOr<net::Endpoint> endpoint = net::ParseEndpoint(address);
  boost::asio::io_context context;
  boost::system::error_code error;
  const auto found =
      Tcp::resolver(context).resolve(endpoint->host, std::to_string(endpoint->port), error);
  if (error) return MakeError(ErrorCode::kInvalidEndpoint, error.message());
  std::vector<std::string> addresses;
  for (const auto& entry : found) {
    const Tcp::endpoint at = entry.endpoint();
    addresses.push_back(Seed{Seed::Kind::kAddress, at.address().to_string(), at.port()}.Text());
  }
  return addresses;
}

}  // namespace

absl::Status CheckAdvertisedAtStart(const Advertised& advertised,
                                    std::span<const std::string> seeds) {
  absl::Status status = CheckAdvertised(advertised, seeds);
  if (!status.ok() || !IsAdvertisedByName(advertised.address)) return status;
  return CheckAdvertisedName(advertised, Resolve(advertised.address), seeds);
}

}  // namespace engram::cluster
