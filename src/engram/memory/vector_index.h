// The embeddings of one space: rows of unit length in one array, so that cosine is a dot product,
// and above a limit an HNSW graph over them.
//
// A search is right at every moment, whatever the graph's state: the graph answers for the rows it
// covers, the rows after those are scanned, and where that leaves too few results (a narrow filter,
// many dead rows) everything is scanned.
//
// Owned by SpaceIndex; not thread-safe (searches may run side by side, the graph is safe by
// itself).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engram/memory/document_table.h"
#include "engram/memory/top_k.h"
#include "engram/memory/vector_graph.h"

namespace engram::memory {

class VectorIndex {
 public:
  // The first call fixes the dimension. REQUIRES: that dimension, not all zero.
  void Add(Ordinal document, std::span<const float> embedding);

  // `need` results have to be right, up to `k` are wished for. Scores are cosines. Best first.
  struct Wanted {
    size_t need = 0;
    size_t k = 0;
  };
  // Nothing if the query has not this index's dimension; it need not be of unit length.
  std::vector<ScoredDocument> Search(std::span<const float> query, const DocumentTable& documents,
                                     const Filter& filter, Wanted wanted) const;

  size_t dimension() const { return dimension_; }
  size_t rows() const { return documents_.size(); }
  // REQUIRES: begin + count <= rows().
  std::span<const float> Rows(size_t begin, size_t count) const {
    return std::span(values_).subspan(begin * dimension_, count * dimension_);
  }

  const std::shared_ptr<VectorGraph>& graph() const { return graph_; }
  void SetGraph(std::shared_ptr<VectorGraph> graph) { graph_ = std::move(graph); }

 private:
  void Scan(std::span<const float> query, size_t begin, const DocumentTable& documents,
            const Filter& filter, TopK& best) const;

  size_t dimension_ = 0;
  std::vector<float> values_;
  std::vector<Ordinal> documents_;  // by row
  std::shared_ptr<VectorGraph> graph_;
};

}  // namespace engram::memory
