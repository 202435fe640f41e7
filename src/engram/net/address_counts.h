// How many connections each address has, so that none takes them all.
//
// Thread-safe: a connection is counted by the loop that accepts it and uncounted by its own.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "engram/base/mutex.h"

namespace engram::net::internal {

// What is counted as one: an IPv4 address (also when it is mapped into IPv6), or the /64 of an IPv6
// address, of which one host may have all.
std::string CountedAddress(const boost::asio::ip::address& address);

class AddressCounts {
 public:
  explicit AddressCounts(size_t max) : max_(max) {}

  // False: the address has as many as it may.
  [[nodiscard]] bool TryAdd(const std::string& counted_address);
  void Remove(const std::string& counted_address);

 private:
  const size_t max_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, size_t> counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::net::internal
