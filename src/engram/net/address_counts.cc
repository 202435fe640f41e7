#include "engram/net/address_counts.h"

namespace engram::net::internal {

std::string CountedAddress(const boost::asio::ip::address& address) {
  constexpr size_t kPrefixBytes = 8;
  if (address.is_v4()) return address.to_string();
  const boost::asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) {
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6).to_string();
  }
  boost::asio::ip::address_v6::bytes_type bytes = v6.to_bytes();
  std::fill(bytes.begin() + kPrefixBytes, bytes.end(), 0);
  return boost::asio::ip::address_v6(bytes).to_string();
}

bool AddressCounts::TryAdd(const std::string& counted_address) {
  const WriterLock lock(&mutex_);
  size_t& count = counts_[counted_address];
  if (count >= max_) return false;
  ++count;
  return true;
}

void AddressCounts::Remove(const std::string& counted_address) {
  const WriterLock lock(&mutex_);
  const auto it = counts_.find(counted_address);
  if (it != counts_.end() && --it->second == 0) counts_.erase(it);
}

}  // namespace engram::net::internal
