#include "engram/base/ulid.h"

#include <xxhash.h>

namespace engram {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

constexpr std::array<int8_t, 256> MakeDecodeTable() {
  std::array<int8_t, 256> table{};
  table.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int8_t>(i);
    if (kAlphabet[i] >= 'A') {
      table[static_cast<unsigned char>(kAlphabet[i] - 'A' + 'a')] = static_cast<int8_t>(i);
    }
  }
  return table;
}

constexpr std::array<int8_t, 256> kDecode = MakeDecodeTable();

uint64_t LoadBigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (unsigned char c : bytes) value = value << 8 | c;
  return value;
}

}  // namespace

Ulid Ulid::Make(WallMillis now, std::mt19937_64& random) {
  uint64_t high = static_cast<uint64_t>(ToInt(now)) << 16 | (random() & 0xffff);
  return Ulid(high, random());
}

Ulid Ulid::Derive(const Ulid& parent, uint64_t index) {
  const uint64_t input[3] = {parent.high_, parent.low_, index};
  XXH128_hash_t hash = XXH3_128bits(input, sizeof(input));
  return Ulid((parent.high_ & ~uint64_t{0xffff}) | (hash.high64 & 0xffff), hash.low64);
}

std::optional<Ulid> Ulid::Parse(std::string_view text) {
  if (text.size() != kTextSize || text[0] > '7') return std::nullopt;
  uint64_t high = 0;
  uint64_t low = 0;
  for (unsigned char c : text) {
    if (kDecode[c] < 0) return std::nullopt;
    high = high << 5 | low >> 59;
    low = low << 5 | static_cast<uint64_t>(kDecode[c]);
  }
  return Ulid(high, low);
}

std::optional<Ulid> Ulid::FromBytes(std::string_view bytes) {
  if (bytes.size() != kBinarySize) return std::nullopt;
  return Ulid(LoadBigEndian(bytes.substr(0, 8)), LoadBigEndian(bytes.substr(8)));
}

std::string Ulid::ToString() const {
  std::string text(kTextSize, '0');
  uint64_t high = high_;
  uint64_t low = low_;
  for (size_t i = kTextSize; i-- > 0;) {
    text[i] = kAlphabet[low & 31];
    low = low >> 5 | high << 59;
    high >>= 5;
  }
  return text;
}

std::string Ulid::ToBytes() const {
  std::string bytes(kBinarySize, '\0');
  for (size_t i = 0; i < 8; ++i) {
    bytes[7 - i] = static_cast<char>(high_ >> (8 * i));
    bytes[15 - i] = static_cast<char>(low_ >> (8 * i));
  }
  return bytes;
}

}  // namespace engram
