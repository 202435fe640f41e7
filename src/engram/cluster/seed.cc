#include "engram/cluster/seed.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "engram/base/error.h"
#include "engram/net/endpoint.h"

namespace engram::cluster {
namespace {

namespace ip = boost::asio::ip;

// RFC 1035, 2.3.4.
constexpr size_t kNameBytesMax = 253;
constexpr size_t kLabelBytesMax = 63;

absl::Status Bad(std::string_view seed, std::string_view why) {
  return InvalidArgument(
      "seeds",
      fmt::format("\"{}\" is no seed: {}; a seed is \"host:port\" (a name, an IPv4 address "
                  "or an IPv6 address in brackets) or the name of SRV records, such as "
                  "\"_engram._tcp.example.org\", without a port",
                  seed, why));
}

bool IsLabel(std::string_view label) {
  if (label.empty() || label.size() > kLabelBytesMax) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
}

// RFC 1123, 2.1, and underscores: names of containers and services have them.
bool IsName(std::string_view name) {
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  if (name.empty() || name.size() > kNameBytesMax) return false;
  const std::vector<std::string> labels =
      absl::StrSplit(absl::string_view(name.data(), name.size()), '.');
  // What looks like a number is a misspelt address: "10.0.0.256".
  const bool numeric = std::all_of(labels.back().begin(), labels.back().end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
  return !numeric && std::all_of(labels.begin(), labels.end(),
                                 [](const std::string& label) { return IsLabel(label); });
}

absl::StatusOr<Seed> ParseService(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    return Bad(text, "the ports of SRV records are in the records");
  }
  if (!IsName(text) || text.find("._") == std::string_view::npos) {
    return Bad(text, "this is no name of SRV records");
  }
  return Seed{Seed::Kind::kService, std::string(text), 0};
}

}  // namespace

std::string Seed::Text() const {
  if (kind == Kind::kService) return host;
  const bool brackets = host.find(':') != std::string::npos;
  return brackets ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

absl::StatusOr<Seed> ParseSeed(std::string_view text) {
  if (!text.empty() && text.front() == '_') return ParseService(text);
  absl::StatusOr<net::Endpoint> endpoint = net::ParseEndpoint(text);
  if (!endpoint.ok()) return Bad(text, "host or port is missing, or the port is not 1 to 65535");
  boost::system::error_code not_numeric;
  const ip::address address = ip::make_address(endpoint->host, not_numeric);
  if (!not_numeric) {
    if (address.is_unspecified() || address.is_multicast()) {
      return Bad(text, "nobody can be dialled there");
    }
    return Seed{Seed::Kind::kAddress, address.to_string(), endpoint->port};
  }
  if (!IsName(endpoint->host)) return Bad(text, "the host is neither a name nor an address");
  return Seed{Seed::Kind::kHost, std::move(endpoint->host), endpoint->port};
}

}  // namespace engram::cluster
