// gRPC metadata: headers and trailers apart from those that the wire itself uses (":path", "te",
// "grpc-*", "content-type").
//
// Names are lower case. Values of names ending in "-bin" are held decoded (raw bytes); the wire
// does the base64. A plain value type, searched linearly: calls carry a handful.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engram::net {

// Whether a value is worth a place in the peer's HPACK table, where it costs a byte from its second
// time on, but may drive another value out. Values of names ending in "-bin" never get one.
enum class Recurrence : uint8_t {
  kOnce,      // it differs from call to call
  kRepeated,  // most calls of the connection carry it
};

struct MetadataEntry {
  std::string name;
  std::string value;
  Recurrence recurrence = Recurrence::kOnce;  // of what is sent; of what was received nobody knows
};

class Metadata {
 public:
  void Add(std::string_view name, std::string_view value,
           Recurrence recurrence = Recurrence::kOnce) {
    if (entries_.empty()) entries_.reserve(kUsual);  // one allocation instead of three
    entries_.push_back({std::string(name), std::string(value), recurrence});
  }
  // The first value of that name. The view lives as long as this object is not changed.
  std::optional<std::string_view> Find(std::string_view name) const {
    for (const MetadataEntry& e : entries_) {
      if (e.name == name) return e.value;
    }
    return std::nullopt;
  }
  const std::vector<MetadataEntry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  void clear() { entries_.clear(); }

 private:
  static constexpr size_t kUsual = 4;

  std::vector<MetadataEntry> entries_;
};

}  // namespace engram::net
