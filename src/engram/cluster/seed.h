// A seed as it is configured: where a node asks for the others (SPEC C2).
//
// Everything here is pure and thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace engram::cluster {

struct Seed {
  enum class Kind : uint8_t {
    kAddress,  // "10.0.0.7:50051", "[fd00::7]:50051"
    kHost,     // "nodes.example.org:50051": all its A and AAAA records
    kService,  // "_engram._tcp.example.org": its SRV records, with their ports
  };

  Kind kind = Kind::kAddress;
  std::string host;   // an IP address without brackets, or a name
  uint16_t port = 0;  // 0 for kService

  // As addresses are written everywhere; for kService the name alone.
  std::string Text() const;

  friend bool operator==(const Seed&, const Seed&) = default;
};

// Errors are InvalidArgument, name the key `seeds`, the seed, and what is allowed.
absl::StatusOr<Seed> ParseSeed(std::string_view text);

}  // namespace engram::cluster
