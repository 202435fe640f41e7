// An approximate nearest-neighbour graph (HNSW: Malkov and Yashunin, 2016) over rows of unit
// length, by hnswlib. It only grows, row after row; dead rows are left out by whoever asks, and a
// graph with too many of them is built anew.
//
// Thread-safe: searches run side by side, an addition alone (hnswlib does not lock its lists
// against searches). Shared by the index that searches it and the keeper that grows it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"

namespace engram::memory {

class VectorGraph {
 public:
  struct Neighbour {
    uint32_t row = 0;
    float cosine = 0;
  };
  struct Result {
    std::vector<Neighbour> neighbours;
    size_t covered_rows = 0;  // rows before this one were looked at
  };

  VectorGraph(size_t dimension, size_t expected_rows);
  ~VectorGraph();

  // The next row. REQUIRES: unit length, the graph's dimension.
  void Add(std::span<const float> row);

  // About the nearest `candidates` rows. REQUIRES: unit length, the graph's dimension.
  Result Search(std::span<const float> query, size_t candidates) const;

  size_t dimension() const { return dimension_; }
  // Never waits.
  size_t rows() const { return rows_.load(std::memory_order_acquire); }

 private:
  struct Rep;

  const size_t dimension_;
  std::atomic<size_t> rows_ = 0;
  mutable Mutex mutex_;
  const std::unique_ptr<Rep> rep_ ABSL_PT_GUARDED_BY(mutex_);
};

}  // namespace engram::memory
