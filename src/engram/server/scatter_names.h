// Which spaces a recall over several asks for: names, and patterns in which * stands for any number
// of characters. Pure and thread-safe.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace engram::server {

inline constexpr int kSpacesAskedMax = 1'000;  // names and patterns
inline constexpr size_t kSpacesMax = 10'000;   // with those that the patterns match

struct SpaceNames {
  std::vector<std::string> names;     // each once, in the order given
  std::vector<std::string> patterns;  // likewise
};

// InvalidArgument naming "spaces" if there are none, too many, or one is no name.
absl::StatusOr<SpaceNames> ParseSpaceNames(
    const google::protobuf::RepeatedPtrField<std::string>& spaces);

bool Matches(std::string_view pattern, std::string_view name);
bool MatchesAny(const std::vector<std::string>& patterns, std::string_view name);

}  // namespace engram::server
