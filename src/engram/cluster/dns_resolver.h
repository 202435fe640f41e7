// Names to addresses: A, AAAA and SRV records, through c-ares.
//
// Owned by whoever asks. Loop thread only; call-backs run on the loop, never before the call that
// asked has returned, and not at all once the resolver is destroyed, which must happen on the loop
// or after it has stopped.
//
// Errors: InvalidEndpoint, the name does not exist or has no such records; ConnectionFailed, no
// server has answered in time, or none was willing to; Internal, an answer that is not one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/base/time.h"
#include "engram/net/event_loop.h"

namespace engram::cluster {

struct DnsOptions {
  // "ip" or "ip:port"; empty: those of /etc/resolv.conf, read anew for each question.
  std::vector<std::string> servers;
  // For the whole of a question, SRV records and their targets together.
  Duration limit = std::chrono::seconds(5);
  // Addresses of one answer; what is beyond is left out.
  size_t addresses_max = 256;
};

// Whether `server` may stand in DnsOptions::servers; InvalidArgument, field `dns-servers`.
[[nodiscard]] absl::Status CheckDnsServer(std::string_view server);

// Where a service is to be had (RFC 2782).
struct ServiceRecord {
  uint16_t priority = 0;
  uint16_t weight = 0;
  std::string target;
  uint16_t port = 0;

  friend bool operator==(const ServiceRecord&, const ServiceRecord&) = default;
};

// In the order in which they are to be tried: by priority, then the heavier first. RFC 2782 draws
// by weight among those of one priority, to share out load; ours are asked once, and a list that is
// compared with the last one must not change by chance.
void SortServices(std::vector<ServiceRecord>& records);

namespace internal {
class DnsLookUp;
}

class DnsResolver {
 public:
  // "ip:port", "[ip]:port".
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::vector<std::string>> addresses)>;

  // REQUIRES: CheckDnsServer() is OK for each of options.servers.
  DnsResolver(net::EventLoop& loop, DnsOptions options);
  ~DnsResolver();
  DnsResolver(const DnsResolver&) = delete;
  DnsResolver& operator=(const DnsResolver&) = delete;

  // The addresses of `host`, IPv4 before IPv6, else in numeric order: servers turn them round from
  // answer to answer. /etc/hosts counts, too.
  void ResolveHost(const std::string& host, uint16_t port, Done done);
  // The addresses of all targets of `name`'s SRV records, with their ports, in the order of
  // SortServices(). Targets that cannot be resolved are left out as long as another one can.
  void ResolveService(const std::string& name, Done done);

  size_t under_way() const { return look_ups_.size(); }

 private:
  internal::DnsLookUp& Begin(std::string name, Done done);

  net::EventLoop& loop_;
  const DnsOptions options_;
  uint64_t next_id_ = 0;
  absl::flat_hash_map<uint64_t, std::shared_ptr<internal::DnsLookUp>> look_ups_;
};

}  // namespace engram::cluster
