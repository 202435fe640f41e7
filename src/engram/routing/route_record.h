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
    std::memcpy(record->Tail(), route.replica.data(), record->ReplicaBytes());
    std::memcpy(record->Tail() + record->ReplicaBytes(), space.data(), space.size());
  }

  std::string_view space() const { return {Tail() + ReplicaBytes(), name_bytes_}; }
  size_t bytes() const { return sizeof(RouteRecord) + ReplicaBytes() + name_bytes_; }
  RouteVersion version() const { return {epoch_counter_, sequence_, epoch_primary_}; }

  Route route() const {
    Route route{version(), primary_, replica_count_, {}};
    std::memcpy(route.replica.data(), Tail(), ReplicaBytes());
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

  size_t ReplicaBytes() const { return replica_count_ * sizeof(NodeIndex); }
  // The replicas, then the name.
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
