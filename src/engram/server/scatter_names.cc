#include "engram/server/scatter_names.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "engram/base/error.h"
#include "engram/base/names.h"

namespace engram::server {
namespace {

// A pattern is a name but for its stars; of stars alone it stands for all spaces.
absl::Status CheckPattern(const std::string& pattern) {
  std::string rest = pattern;
  std::erase(rest, '*');
  if (pattern.size() > kSpaceNameBytesMax) rest = pattern;
  return rest.empty() ? absl::OkStatus() : CheckSpaceName("spaces", rest);
}

}  // namespace

absl::StatusOr<SpaceNames> ParseSpaceNames(
    const google::protobuf::RepeatedPtrField<std::string>& spaces) {
  if (spaces.empty()) {
    return InvalidArgument("spaces", "spaces is empty: name one at least, or give a pattern");
  }
  if (spaces.size() > kSpacesAskedMax) {
    return InvalidArgument("spaces", fmt::format("there are {} spaces, the limit is {}",
                                                 spaces.size(), kSpacesAskedMax));
  }
  SpaceNames parsed;
  absl::flat_hash_set<std::string_view> seen;
  for (const std::string& space : spaces) {
    const bool pattern = space.find('*') != std::string::npos;
    absl::Status valid = pattern ? CheckPattern(space) : CheckSpaceName("spaces", space);
    if (!valid.ok()) return valid;
    if (!seen.insert(space).second) continue;
    (pattern ? parsed.patterns : parsed.names).push_back(space);
  }
  return parsed;
}

// Greedy, back to the last star where it fails: linear but for stars.
bool Matches(std::string_view pattern, std::string_view name) {
  size_t p = 0;
  size_t n = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return Matches(pattern, name); });
}

}  // namespace engram::server
