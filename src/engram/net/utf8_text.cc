#include "engram/net/utf8_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace engram::net::internal {
namespace {

// A row of the Unicode standard's table 3-7, "Well-Formed UTF-8 Byte Sequences": those that begin
// with a lead byte up to `lead_max`; bytes after the second are 80 to BF.
struct Sequence {
  uint8_t lead_max;
  size_t size;  // 0: no sequence begins so
  uint8_t second_min;
  uint8_t second_max;
};
constexpr std::array<Sequence, 11> kSequences = {{{0x7F, 1, 0, 0},
                                                  {0xC1, 0, 0, 0},
                                                  {0xDF, 2, 0x80, 0xBF},
                                                  {0xE0, 3, 0xA0, 0xBF},
                                                  {0xEC, 3, 0x80, 0xBF},
                                                  {0xED, 3, 0x80, 0x9F},
                                                  {0xEF, 3, 0x80, 0xBF},
                                                  {0xF0, 4, 0x90, 0xBF},
                                                  {0xF3, 4, 0x80, 0xBF},
                                                  {0xF4, 4, 0x80, 0x8F},
                                                  {0xFF, 0, 0, 0}}};

bool IsBetween(char c, uint8_t min, uint8_t max) {
  const auto byte = static_cast<uint8_t>(c);
  return min <= byte && byte <= max;
}

// Of the well-formed sequence that `text` begins with; 0: of none. REQUIRES: not empty.
size_t SequenceSize(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const Sequence& sequence = *std::find_if(kSequences.begin(), kSequences.end(),
                                           [&](const Sequence& s) { return lead <= s.lead_max; });
  if (sequence.size > text.size()) return 0;
  for (size_t i = 1; i < sequence.size; ++i) {
    const bool second = i == 1;
    if (!IsBetween(text[i], second ? sequence.second_min : 0x80,
                   second ? sequence.second_max : 0xBF)) {
      return 0;
    }
  }
  return sequence.size;
}

}  // namespace

std::string ToValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t size = SequenceSize(text);
    out += size == 0 ? "\xEF\xBF\xBD" : text.substr(0, size);
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return out;
}

}  // namespace engram::net::internal
