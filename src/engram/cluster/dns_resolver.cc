#include "engram/cluster/dns_resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <iterator>
#include <tuple>
#include <utility>

#include "engram/base/error.h"
#include "engram/cluster/dns_look_up.h"
#include "engram/net/endpoint.h"

namespace engram::cluster {
namespace {

constexpr uint16_t kDnsPort = 53;

net::Endpoint ServerOf(std::string_view server) {
  absl::StatusOr<net::Endpoint> endpoint = net::ParseEndpoint(server);
  return endpoint.ok() ? *std::move(endpoint) : net::Endpoint{std::string(server), kDnsPort};
}

}  // namespace

absl::Status CheckDnsServer(std::string_view server) {
  boost::system::error_code not_numeric;
  boost::asio::ip::make_address(ServerOf(server).host, not_numeric);
  if (!not_numeric) return absl::OkStatus();
  return InvalidArgument("dns-servers",
                         fmt::format("\"{}\" is no DNS server: write \"ip\", \"ip:port\" or "
                                     "\"[ip]:port\"; a name would need a DNS server",
                                     server));
}

std::string internal::DnsServerList(const std::vector<std::string>& servers) {
  std::string list;
  for (const std::string& server : servers) {
    const net::Endpoint endpoint = ServerOf(server);
    const bool brackets = endpoint.host.find(':') != std::string::npos;
    fmt::format_to(std::back_inserter(list), "{}{}{}{}:{}", list.empty() ? "" : ",",
                   brackets ? "[" : "", endpoint.host, brackets ? "]" : "", endpoint.port);
  }
  return list;
}

void SortServices(std::vector<ServiceRecord>& records) {
  const auto key = [](const ServiceRecord& record) {
    return std::make_tuple(record.priority, UINT16_MAX - record.weight, record.target, record.port);
  };
  std::sort(records.begin(), records.end(),
            [&](const ServiceRecord& a, const ServiceRecord& b) { return key(a) < key(b); });
}

DnsResolver::DnsResolver(net::EventLoop& loop, DnsOptions options)
    : loop_(loop), options_(std::move(options)) {}

DnsResolver::~DnsResolver() {
  for (const auto& [id, look_up] : look_ups_) look_up->Cancel();
}

internal::DnsLookUp& DnsResolver::Begin(std::string name, Done done) {
  const uint64_t id = next_id_++;
  auto ended = [this, id,
                done = std::move(done)](absl::StatusOr<std::vector<std::string>> result) mutable {
    const auto keep = look_ups_.extract(id);
    done(std::move(result));  // may destroy this
  };
  auto look_up =
      std::make_shared<internal::DnsLookUp>(loop_, options_, std::move(name), std::move(ended));
  return *look_ups_.emplace(id, std::move(look_up)).first->second;
}

void DnsResolver::ResolveHost(const std::string& host, uint16_t port, Done done) {
  Begin(host, std::move(done)).AskForHost(port);
}

void DnsResolver::ResolveService(const std::string& name, Done done) {
  Begin(name, std::move(done)).AskForService();
}

}  // namespace engram::cluster
