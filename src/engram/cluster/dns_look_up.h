// One question of a DnsResolver: from what it asks c-ares to the addresses that come of it.
//
// Held by the resolver and by the task under way that ends it. Loop thread only.
#pragma once

#include <ares.h>

#include <boost/asio/ip/address.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engram/cluster/ares_channel.h"
#include "engram/cluster/dns_resolver.h"

namespace engram::cluster::internal {

class DnsLookUp : public std::enable_shared_from_this<DnsLookUp> {
 public:
  // `options` outlives it.
  DnsLookUp(net::EventLoop& loop, const DnsOptions& options, std::string name,
            DnsResolver::Done done);
  ~DnsLookUp();

  void AskForHost(uint16_t port);
  void AskForService();
  // `done` is not called.
  void Cancel();

 private:
  // A host of which the addresses are asked for.
  struct Target {
    DnsLookUp* look_up;
    ServiceRecord record;
    absl::Status status;
    std::vector<boost::asio::ip::address> addresses;
  };

  bool Open();
  void AskForAddresses();
  void OnServices(int code, const unsigned char* answer, int size);
  void OnAddresses(Target& target, int code, ares_addrinfo* answer);
  // Goes on when c-ares has returned: its call-backs may not end the channel.
  void Later(void (DnsLookUp::*step)());
  void AfterServices();
  void AfterAddresses();
  void Finish(absl::StatusOr<std::vector<std::string>> result);

  net::EventLoop& loop_;
  const DnsOptions& options_;
  const std::string name_;
  DnsResolver::Done done_;
  std::shared_ptr<AresChannel> channel_;
  net::EventLoop::Timer deadline_;
  absl::Status services_status_;
  std::vector<ServiceRecord> services_;
  std::vector<Target> targets_;
  size_t awaited_ = 0;
};

// As c-ares wants to be told of servers for which CheckDnsServer() is OK.
std::string DnsServerList(const std::vector<std::string>& servers);

// What a c-ares code other than success means for who asked for `name`.
absl::Status DnsError(const std::string& name, int code);

}  // namespace engram::cluster::internal
