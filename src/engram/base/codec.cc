#include "engram/base/codec.h"

#include <bit>
#include <cstring>

namespace engram {

static_assert(std::endian::native == std::endian::little,
              "floats are stored in the machine's byte order, which must be little-endian");

void Encoder::Varint(uint64_t value) {
  while (value >= 0x80) {
    Byte(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  Byte(static_cast<uint8_t>(value));
}

void Encoder::Signed(int64_t value) {
  Varint((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
}

void Encoder::Double(double value) {
  out_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void Encoder::Bytes(std::string_view value) {
  Varint(value.size());
  out_.append(value);
}

void Encoder::Floats(std::span<const float> values) {
  Varint(values.size());
  out_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

std::string_view Decoder::TakeBytes(size_t size) {
  if (!ok_ || size > rest_.size()) {
    ok_ = false;
    return {};
  }
  std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

uint8_t Decoder::Byte() {
  std::string_view byte = TakeBytes(1);
  return byte.empty() ? 0 : static_cast<uint8_t>(byte[0]);
}

uint64_t Decoder::Varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint64_t byte = Byte();
    // The tenth byte has room for the one bit that is left of 64.
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return ok_ ? value : 0;
  }
  ok_ = false;
  return 0;
}

int64_t Decoder::Signed() {
  uint64_t value = Varint();
  return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

double Decoder::Double() {
  std::string_view bytes = TakeBytes(sizeof(double));
  double value = 0;
  if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

std::string_view Decoder::Bytes() {
  // One read per line: the size must be known before the bytes are taken.
  uint64_t size = Varint();
  return TakeBytes(size);
}

std::vector<float> Decoder::Floats() {
  uint64_t count = Varint();
  if (count > rest_.size() / sizeof(float)) {
    ok_ = false;
    return {};
  }
  std::string_view bytes = TakeBytes(count * sizeof(float));
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

size_t Decoder::Count() {
  uint64_t count = Varint();
  if (count > rest_.size()) {
    ok_ = false;
    return 0;
  }
  return count;
}

void AppendBigEndian64(std::string& key, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(value >> shift));
}

uint64_t ReadBigEndian64(std::string_view bytes) {
  uint64_t value = 0;
  for (unsigned char byte : bytes) value = value << 8 | byte;
  return value;
}

}  // namespace engram
