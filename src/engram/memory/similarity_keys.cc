#include "engram/memory/similarity_keys.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "engram/memory/vector_math.h"

namespace engram::memory {
namespace {

constexpr size_t kMinimaOfKey = 4;
constexpr size_t kMinima = kTextKeys * kMinimaOfKey;

// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): in a few
// lines and the same everywhere, as the distributions of the standard library are not.
class Draws {
 public:
  explicit Draws(uint64_t seed) : state_(seed) {}
  uint64_t Next() { return Mix(state_ += 0x9e3779b97f4a7c15); }

  static uint64_t Mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

 private:
  uint64_t state_;
};

struct HashFunction {
  uint64_t factor;
  uint64_t summand;
};

const std::array<HashFunction, kMinima>& HashFunctions() {
  static const auto kFunctions = [] {
    std::array<HashFunction, kMinima> drawn{};
    Draws draws(1);
    for (HashFunction& function : drawn) function = {draws.Next() | 1, draws.Next()};
    return drawn;
  }();
  return kFunctions;
}

uint64_t KeyOf(uint64_t table, uint64_t value) { return Draws::Mix(value ^ Draws::Mix(table)); }

}  // namespace

std::array<uint64_t, kTextKeys> TextKeysOf(const TextFeatures& features) {
  std::array<uint64_t, kMinima> minima;
  minima.fill(std::numeric_limits<uint64_t>::max());
  for (uint64_t hash : features.hashes) {
    for (size_t i = 0; i < kMinima; ++i) {
      const HashFunction& function = HashFunctions()[i];
      minima[i] = std::min(minima[i], Draws::Mix(hash * function.factor + function.summand));
    }
  }
  std::array<uint64_t, kTextKeys> keys;
  for (size_t key = 0; key < kTextKeys; ++key) {
    uint64_t joined = 0;
    for (size_t i = 0; i < kMinimaOfKey; ++i) {
      joined = Draws::Mix(joined + minima[key * kMinimaOfKey + i]);
    }
    keys[key] = KeyOf(key + 1, joined);
  }
  return keys;
}

// A component is a sum of 64 fair bits, which is as good as a normally distributed number, and an
// integer.
VectorKeys::VectorKeys(size_t dimension) : dimension_(dimension) {
  Draws draws(2);
  planes_.reserve(kBits * dimension);
  for (size_t i = 0; i < kBits * dimension; ++i) {
    planes_.push_back(static_cast<float>(std::popcount(draws.Next()) - 32));
  }
  for (auto& picked : picked_) {
    std::array<uint8_t, kBits> bits;
    for (size_t i = 0; i < kBits; ++i) bits[i] = static_cast<uint8_t>(i);
    for (size_t i = 0; i < kBitsOfKey; ++i) {
      std::swap(bits[i], bits[i + draws.Next() % (kBits - i)]);
      picked[i] = bits[i];
    }
  }
}

std::array<uint64_t, kVectorKeys> VectorKeys::Of(std::span<const float> embedding) const {
  std::array<bool, kBits> sides;
  for (size_t i = 0; i < kBits; ++i) {
    sides[i] = DotProduct(planes_.data() + i * dimension_, embedding.data(), dimension_) >= 0;
  }
  std::array<uint64_t, kVectorKeys> keys;
  for (size_t key = 0; key < kVectorKeys; ++key) {
    uint64_t bits = 0;
    for (uint8_t bit : picked_[key]) bits = bits << 1 | (sides[bit] ? 1 : 0);
    keys[key] = KeyOf(kTextKeys + key + 1, bits);
  }
  return keys;
}

}  // namespace engram::memory
