// The routed operations and their method names on both services.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "engram/routing/decision.h"

namespace engram::server {

struct OperationMethods {
  routing::Operation op;
  std::string_view client;  // on engram.v1.MemoryService
  std::string_view peer;    // on engram.peer.v1.PeerService
};

inline constexpr std::array<OperationMethods, 5> kOperations = {{
    {routing::Operation::kStore, "/engram.v1.MemoryService/Store",
     "/engram.peer.v1.PeerService/Store"},
    {routing::Operation::kForget, "/engram.v1.MemoryService/Forget",
     "/engram.peer.v1.PeerService/Forget"},
    {routing::Operation::kLink, "/engram.v1.MemoryService/Link",
     "/engram.peer.v1.PeerService/Link"},
    {routing::Operation::kRecall, "/engram.v1.MemoryService/Recall",
     "/engram.peer.v1.PeerService/Recall"},
    {routing::Operation::kGet, "/engram.v1.MemoryService/Get", "/engram.peer.v1.PeerService/Get"},
}};

inline constexpr std::string_view kPassOnMethod = "/engram.peer.v1.PeerService/PassOn";
inline constexpr std::string_view kHoldsMethod = "/engram.peer.v1.PeerService/Holds";

constexpr std::string_view PeerMethod(routing::Operation op) {
  return kOperations[static_cast<size_t>(op)].peer;
}
static_assert([] {
  for (size_t i = 0; i < kOperations.size(); ++i) {
    if (static_cast<size_t>(kOperations[i].op) != i) return false;
  }
  return true;
}());

// As engram.peer.v1.Operation numbers them; nothing for a number that is none.
constexpr int ToProto(routing::Operation op) { return static_cast<int>(op) + 1; }
constexpr std::optional<routing::Operation> FromProto(int operation) {
  if (operation < 1 || operation > static_cast<int>(kOperations.size())) return std::nullopt;
  return kOperations[static_cast<size_t>(operation) - 1].op;
}

}  // namespace engram::server
