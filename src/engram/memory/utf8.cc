#include "engram/memory/utf8.h"

#include <unicode/utf8.h>

#include <cstdint>

namespace engram::memory {

bool IsValidUtf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const size_t size = text.size();
  // ICU indexes by int32_t; what is longer than the limits allow is not ours to judge.
  if (size > INT32_MAX) return false;
  int32_t i = 0;
  while (static_cast<size_t>(i) < size) {
    if (bytes[i] < 0x80) {
      ++i;
      continue;
    }
    UChar32 character = 0;
    U8_NEXT(bytes, i, static_cast<int32_t>(size), character);
    if (character < 0) return false;
  }
  return true;
}

std::string_view CutAtCharacter(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t size = bytes_max;
  while (size > 0 && U8_IS_TRAIL(static_cast<uint8_t>(text[size]))) --size;
  return text.substr(0, size);
}

}  // namespace engram::memory
