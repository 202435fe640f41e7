// Reads single fields out of a raw request without parsing the rest.
#pragma once

#include <optional>
#include <string_view>

namespace engram::server {

// The value of the top-level string field `number` in a serialized message: "" if it is absent, the
// last one if it is there several times (as a parser would take it), nullopt if the bytes are no
// valid protobuf message at the top level. The view points into `message`. No allocation; O(number
// of top-level fields).
std::optional<std::string_view> PeekString(std::string_view message, int number);

// Every routed request has its space as field 1 and, if it names one memory, that one's id as
// field 2.
inline std::optional<std::string_view> PeekSpace(std::string_view message) {
  return PeekString(message, 1);
}
inline std::optional<std::string_view> PeekId(std::string_view message) {
  return PeekString(message, 2);
}

}  // namespace engram::server
