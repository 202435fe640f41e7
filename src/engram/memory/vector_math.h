// The arithmetic of embeddings. Pure and thread-safe.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace engram::memory {

// Written with vectors of four, which every machine we run on has: the compiler may not reorder a
// sum of floats by itself.
inline float DotProduct(const float* a, const float* b, size_t size) {
  using Four = float __attribute__((vector_size(16)));
  Four sums[4] = {};
  size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    for (size_t j = 0; j < 4; ++j) {
      Four x;
      Four y;
      std::memcpy(&x, a + i + 4 * j, sizeof(x));
      std::memcpy(&y, b + i + 4 * j, sizeof(y));
      sums[j] += x * y;
    }
  }
  const Four sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float product = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  for (; i < size; ++i) product += a[i] * b[i];
  return product;
}

// Appends `vector` scaled to length one. REQUIRES: finite, not all zero. The length is computed in
// double, where the square of no float overflows.
inline void AppendNormalized(std::span<const float> vector, std::vector<float>& out) {
  double square = 0;
  for (float value : vector) square += static_cast<double>(value) * static_cast<double>(value);
  const double scale = 1 / std::sqrt(square);
  for (float value : vector) out.push_back(static_cast<float>(value * scale));
}

}  // namespace engram::memory
