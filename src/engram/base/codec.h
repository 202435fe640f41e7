// The small binary codec of what is stored and of what gossip sends: varints, length-prefixed
// bytes, and big-endian numbers for keys (so that byte order is number order). Written little by
// little into a string, read back with bounds checked.
//
// Pure; thread-compatible like std::string.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engram {

// Builds one value. Value type.
class Encoder {
 public:
  void Byte(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void Varint(uint64_t value);
  void Signed(int64_t value);  // zigzag: small magnitudes stay short
  void Double(double value);
  void Bytes(std::string_view value);          // length first
  void Floats(std::span<const float> values);  // count first
  void Reserve(size_t bytes) { out_.reserve(bytes); }

  const std::string& data() const { return out_; }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads one value back. Past the end or at a malformed number it turns not-ok, stays so, and gives
// zeros and empty views: read everything, then check Finished() once. `input` must outlive it and
// every view it gave.
class Decoder {
 public:
  explicit Decoder(std::string_view input) : rest_(input) {}

  uint8_t Byte();
  uint64_t Varint();
  int64_t Signed();
  double Double();
  std::string_view Bytes();
  std::vector<float> Floats();
  // A number of things that follow, each at least one byte long: a damaged count never makes the
  // reader allocate more than the input holds.
  size_t Count();

  bool ok() const { return ok_; }
  // What has not been read yet.
  std::string_view rest() const { return rest_; }
  // Everything was read, and nothing was wrong.
  bool Finished() const { return ok_ && rest_.empty(); }

 private:
  std::string_view TakeBytes(size_t size);

  std::string_view rest_;
  bool ok_ = true;
};

void AppendBigEndian64(std::string& key, uint64_t value);

// REQUIRES: bytes.size() == 8.
uint64_t ReadBigEndian64(std::string_view bytes);

}  // namespace engram
