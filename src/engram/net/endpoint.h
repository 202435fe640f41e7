// "host:port" as written in configurations and by users. Pure, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace engram::net {

struct Endpoint {
  std::string host;  // a name, or an IPv4 or IPv6 address without brackets
  uint16_t port = 0;
};

// "node7:5000", "10.0.0.7:5000", "[fd00::7]:5000"; anything else is InvalidEndpoint.
absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text);

// The same for an address to listen on, where port 0 means any that is free.
absl::StatusOr<Endpoint> ParseListenEndpoint(std::string_view text);

}  // namespace engram::net
