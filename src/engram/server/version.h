// The software's version, as CMake knows it.
#pragma once

#include <string_view>

namespace engram::server {

inline constexpr std::string_view kVersion = ENGRAM_VERSION;

}  // namespace engram::server
