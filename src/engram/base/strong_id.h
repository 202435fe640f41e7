// Distinct types for the different kinds of names, so that a node id is never passed where a space
// is meant.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

namespace engram {

// A string with a type of its own. Value type; as thread-safe as std::string. Construction does not
// validate: names that come from outside are checked by base/names.h first.
template <class Tag>
class StrongString {
 public:
  StrongString() = default;
  explicit StrongString(std::string value) : value_(std::move(value)) {}
  explicit StrongString(std::string_view value) : value_(value) {}
  explicit StrongString(const char* value) : value_(value) {}

  const std::string& value() const { return value_; }
  std::string_view view() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend bool operator==(const StrongString&, const StrongString&) = default;
  friend std::strong_ordering operator<=>(const StrongString&, const StrongString&) = default;

  template <class H>
  friend H AbslHashValue(H h, const StrongString& id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  std::string value_;
};

using SpaceId = StrongString<struct SpaceIdTag>;
using NodeId = StrongString<struct NodeIdTag>;
using MemoryId = StrongString<struct MemoryIdTag>;

}  // namespace engram
