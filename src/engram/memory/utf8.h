// The two questions about UTF-8 that the engine asks. Pure and thread-safe.
#pragma once

#include <cstddef>
#include <string_view>

namespace engram::memory {

bool IsValidUtf8(std::string_view text);

// The longest prefix of at most `bytes_max` bytes that does not cut a character. REQUIRES: `text`
// is valid UTF-8.
std::string_view CutAtCharacter(std::string_view text, size_t bytes_max);

}  // namespace engram::memory
