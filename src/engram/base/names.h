// Which names are allowed (SPEC §1). One place for the rules; every entrance uses these.
//
// All functions are pure and thread-safe. They return OK, or an InvalidArgument error that names
// `field` and the limit.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace engram {

inline constexpr size_t kSpaceNameBytesMax = 128;
inline constexpr size_t kMemoryIdBytesMax = 64;
inline constexpr size_t kNodeIdBytesMax = 64;

// 1 to 128 bytes of [a-z0-9._-].
[[nodiscard]] absl::Status CheckSpaceName(std::string_view field, std::string_view name);

// 1 to 64 bytes of [A-Za-z0-9._:-].
[[nodiscard]] absl::Status CheckMemoryId(std::string_view field, std::string_view id);

// 1 to 64 bytes of [a-z0-9._-].
[[nodiscard]] absl::Status CheckNodeId(std::string_view field, std::string_view id);

}  // namespace engram
