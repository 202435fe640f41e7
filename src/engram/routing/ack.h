// When a write is acknowledged (SPEC C6), and what that is called in metadata and configuration.
// Values; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace engram::routing {

enum class Ack : uint8_t {
  kPrimary,  // durable at the primary
  kQuorum,   // durable at a majority of the space's holders
  kAll,      // durable at all of them
};
inline constexpr std::array<std::string_view, 3> kAckNames = {"primary", "quorum", "all"};

constexpr std::string_view NameOf(Ack ack) { return kAckNames[static_cast<size_t>(ack)]; }

constexpr std::optional<Ack> AckFrom(std::string_view name) {
  for (size_t i = 0; i < kAckNames.size(); ++i) {
    if (kAckNames[i] == name) return static_cast<Ack>(i);
  }
  return std::nullopt;
}

}  // namespace engram::routing
