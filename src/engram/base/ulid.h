// ULIDs: 48 bits of wall-clock milliseconds and 80 random bits, written as 26 characters that sort
// by time. Format: https://github.com/ulid/spec (Crockford base 32).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "engram/base/time.h"

namespace engram {

// Value type. Ordered by time first.
class Ulid {
 public:
  static constexpr size_t kTextSize = 26;
  static constexpr size_t kBinarySize = 16;

  Ulid() = default;

  // A new one from `now` and 80 bits of `random`.
  static Ulid Make(WallMillis now, std::mt19937_64& random);

  // The same (parent, index) always gives the same result; it keeps the parent's time. Memory ids
  // are derived so from request ids, which makes a repeated request name the same memory (SPEC §4,
  // promise 5).
  static Ulid Derive(const Ulid& parent, uint64_t index);

  // Accepts upper and lower case. nullopt unless exactly 26 characters of the alphabet that fit 128
  // bits.
  static std::optional<Ulid> Parse(std::string_view text);

  // Big-endian bytes, so that byte order is time order. `bytes` must hold 16.
  static std::optional<Ulid> FromBytes(std::string_view bytes);

  std::string ToString() const;
  std::string ToBytes() const;
  WallMillis time() const { return WallMillis{static_cast<int64_t>(high_ >> 16)}; }
  bool is_zero() const { return high_ == 0 && low_ == 0; }

  friend bool operator==(const Ulid&, const Ulid&) = default;
  friend std::strong_ordering operator<=>(const Ulid&, const Ulid&) = default;

 private:
  Ulid(uint64_t high, uint64_t low) : high_(high), low_(low) {}

  uint64_t high_ = 0;
  uint64_t low_ = 0;
};

// The id under which a request has its one effect: chosen by the first sender, kept across retries
// and nodes.
using RequestId = Ulid;

}  // namespace engram
