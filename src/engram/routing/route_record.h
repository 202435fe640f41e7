// One space of the routing table as it lies in memory: its name and its route in one block of 30 to
// 180 bytes, mostly one cache line.
//
// Immutable once it is published; thread-safe from then on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "engram/routing/route.h"

namespace engram::routing {

class [[gnu::packed]] RouteRecord {
 public:
  static constexpr size_t kNameMax = 255;

  static size_t BytesFor(const Route& route, std::string_view space) {
    return sizeof(RouteRecord) + route.replica_count * sizeof(NodeIndex) + space.size();
  }

  // Into BytesFor() bytes at `block`. REQUIRES: space.size() <= kNameMax.
  static void Write(std::byte* block, const Route& route, std::string_view space) {
    auto* record = new (block) RouteRecord(route, space.size());
    std::memcpy(record->Tail(), space.data(), space.size());
    std::memcpy(record->Tail() + space.size(), route.replica.data(),
                route.replica_count * sizeof(NodeIndex));
  }

  std::string_view space() const { return {Tail(), name_bytes_}; }
  size_t bytes() const {
    return sizeof(RouteRecord) + name_bytes_ + replica_count_ * sizeof(NodeIndex);
  }
  RouteVersion version() const { return {epoch_counter_, sequence_, epoch_primary_}; }

  // One by one: few and mostly as many as before, while a copy of unknown length costs more than
  // the whole look-up.
  void CopyTo(Route& route) const {
    route.version = version();
    route.primary = primary_;
    route.replica_count = replica_count_;
    const char* from = Tail() + name_bytes_;
    for (size_t r = 0; r < replica_count_; ++r, from += sizeof(NodeIndex)) {
      std::memcpy(&route.replica[r], from, sizeof(NodeIndex));
    }
  }
  Route route() const {
    Route route;
    CopyTo(route);
    return route;
  }

 private:
  RouteRecord(const Route& route, size_t name_bytes)
      : epoch_counter_(route.version.epoch_counter),
        sequence_(route.version.sequence),
        epoch_primary_(route.version.epoch_primary),
        primary_(route.primary),
        replica_count_(static_cast<uint8_t>(route.replica_count)),
        name_bytes_(static_cast<uint8_t>(name_bytes)) {}

  // The name, then the replicas.
  char* Tail() { return reinterpret_cast<char*>(this + 1); }
  const char* Tail() const { return reinterpret_cast<const char*>(this + 1); }

  uint64_t epoch_counter_;
  uint64_t sequence_;
  NodeIndex epoch_primary_;
  NodeIndex primary_;
  uint8_t replica_count_;
  uint8_t name_bytes_;
};
static_assert(sizeof(RouteRecord) == 26);

}  // namespace engram::routing
