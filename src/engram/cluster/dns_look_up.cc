#include "engram/cluster/dns_look_up.h"

#include <arpa/nameser.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engram/base/error.h"

namespace engram::cluster::internal {
namespace {

namespace ip = boost::asio::ip;

ip::address AddressOf(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    return ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof(v6));
  ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return ip::address_v6(bytes, v6.sin6_scope_id);
}

std::vector<ip::address> AddressesOf(const ares_addrinfo& answer) {
  std::vector<ip::address> addresses;
  for (const ares_addrinfo_node* node = answer.nodes; node != nullptr; node = node->ai_next) {
    addresses.push_back(AddressOf(*node->ai_addr));
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

std::string Text(const ip::address& address, uint16_t port) {
  return address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), port)
                         : fmt::format("{}:{}", address.to_string(), port);
}

std::vector<ServiceRecord> RecordsOf(const ares_srv_reply* replies) {
  std::vector<ServiceRecord> records;
  for (const ares_srv_reply* reply = replies; reply != nullptr; reply = reply->next) {
    // "." says that the service is decidedly not to be had (RFC 2782).
    const std::string_view target = reply->host;
    if (target.empty() || target == "." || reply->port == 0) continue;
    records.push_back({reply->priority, reply->weight, std::string(target), reply->port});
  }
  return records;
}

int ParseServices(const unsigned char* answer, int size, ares_srv_reply*& replies) {
  const int code = ares_parse_srv_reply(answer, size, &replies);
  // A bad name in an answer is not one that was asked for.
  return code == ARES_EBADNAME ? ARES_EBADRESP : code;
}

}  // namespace

absl::Status DnsError(const std::string& name, int code) {
  switch (code) {
    case ARES_ENOTFOUND:
      return MakeError(ErrorCode::kInvalidEndpoint, fmt::format("DNS knows no {}", name));
    case ARES_ENODATA:
      return MakeError(ErrorCode::kInvalidEndpoint,
                       fmt::format("DNS knows {}, but has no such records of it", name));
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
      return MakeError(ErrorCode::kInvalidEndpoint, fmt::format("{} is no name", name));
    case ARES_EBADRESP:
    case ARES_EFORMERR:
      return MakeError(ErrorCode::kInternal,
                       fmt::format("the answer of DNS to {} cannot be read", name));
    // c-ares asks all servers, and says so also if the last one was not willing to answer.
    case ARES_ECONNREFUSED:
      return MakeError(
          ErrorCode::kConnectionFailed,
          fmt::format("no DNS server answers for {}: they refuse, or cannot be reached", name));
    default:
      return MakeError(ErrorCode::kConnectionFailed,
                       fmt::format("no DNS server answers for {}: {}", name, ares_strerror(code)));
  }
}

DnsLookUp::DnsLookUp(net::EventLoop& loop, const DnsOptions& options, std::string name,
                     DnsResolver::Done done)
    : loop_(loop),
      options_(options),
      name_(std::move(name)),
      done_(std::move(done)),
      deadline_(loop) {}

DnsLookUp::~DnsLookUp() { Cancel(); }

void DnsLookUp::Cancel() {
  done_ = nullptr;
  deadline_.Cancel();
  if (channel_ != nullptr) channel_->Close();
}

bool DnsLookUp::Open() {
  absl::StatusOr<std::shared_ptr<AresChannel>> channel =
      AresChannel::Open(loop_, DnsServerList(options_.servers));
  if (!channel.ok()) {
    services_status_ = channel.status();
    Later(&DnsLookUp::AfterServices);
    return false;
  }
  channel_ = *std::move(channel);
  deadline_.RunAt(net::EventLoop::Now() + options_.limit,
                  [this] { Finish(DnsError(name_, ARES_ETIMEOUT)); });
  return true;
}

void DnsLookUp::AskForHost(uint16_t port) {
  services_.push_back({0, 0, name_, port});
  if (Open()) AskForAddresses();
}

void DnsLookUp::AskForService() {
  if (!Open()) return;
  ares_search(
      channel_->get(), name_.c_str(), ns_c_in, ns_t_srv,
      [](void* self, int code, int, unsigned char* answer, int size) {
        static_cast<DnsLookUp*>(self)->OnServices(code, answer, size);
      },
      this);
  channel_->Watch();
}

void DnsLookUp::OnServices(int code, const unsigned char* answer, int size) {
  if (code == ARES_EDESTRUCTION) return;
  ares_srv_reply* replies = nullptr;
  if (code == ARES_SUCCESS) code = ParseServices(answer, size, replies);
  services_ = RecordsOf(replies);
  if (replies != nullptr) ares_free_data(replies);
  if (code == ARES_SUCCESS && services_.empty()) code = ARES_ENODATA;
  if (code != ARES_SUCCESS) services_status_ = DnsError(name_, code);
  SortServices(services_);
  services_.resize(std::min(services_.size(), options_.addresses_max));
  Later(&DnsLookUp::AfterServices);
}

void DnsLookUp::AfterServices() {
  if (!services_status_.ok()) return Finish(services_status_);
  AskForAddresses();
}

void DnsLookUp::AskForAddresses() {
  awaited_ = services_.size();
  targets_.reserve(services_.size());  // c-ares is given their addresses
  for (ServiceRecord& record : services_) {
    targets_.push_back({this, std::move(record), absl::OkStatus(), {}});
  }
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_flags = ARES_AI_NOSORT;
  for (Target& target : targets_) {
    ares_getaddrinfo(
        channel_->get(), target.record.target.c_str(), nullptr, &hints,
        [](void* asked, int code, int, ares_addrinfo* answer) {
          auto* of = static_cast<Target*>(asked);
          of->look_up->OnAddresses(*of, code, answer);
        },
        &target);
  }
  channel_->Watch();
}

void DnsLookUp::OnAddresses(Target& target, int code, ares_addrinfo* answer) {
  if (code == ARES_EDESTRUCTION) return;
  if (answer != nullptr) {
    target.addresses = AddressesOf(*answer);
    ares_freeaddrinfo(answer);
  }
  if (code == ARES_SUCCESS && target.addresses.empty()) code = ARES_ENODATA;
  if (code != ARES_SUCCESS) target.status = DnsError(target.record.target, code);
  if (--awaited_ == 0) Later(&DnsLookUp::AfterAddresses);
}

void DnsLookUp::AfterAddresses() {
  std::vector<std::string> addresses;
  for (const Target& target : targets_) {
    for (const ip::address& address : target.addresses) {
      std::string text = Text(address, target.record.port);
      const bool is_new = std::find(addresses.begin(), addresses.end(), text) == addresses.end();
      if (is_new && addresses.size() < options_.addresses_max) addresses.push_back(std::move(text));
    }
  }
  if (addresses.empty()) return Finish(targets_.front().status);
  Finish(std::move(addresses));
}

void DnsLookUp::Later(void (DnsLookUp::*step)()) {
  loop_.Post([weak = weak_from_this(), step] {
    const std::shared_ptr<DnsLookUp> self = weak.lock();
    if (self != nullptr && self->done_) (self.get()->*step)();
  });
}

void DnsLookUp::Finish(absl::StatusOr<std::vector<std::string>> result) {
  DnsResolver::Done done = std::exchange(done_, nullptr);
  Cancel();
  done(std::move(result));  // may destroy this
}

}  // namespace engram::cluster::internal
