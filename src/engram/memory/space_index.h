// Everything in memory that recalls of one space use: documents, words, embeddings, links. Derived
// from the database and rebuilt from it.
//
// Changes are by memory id and idempotent: applying one again, or on top of a state that already
// holds it, gives the same index. That is what lets an index be loaded while writes go on.
//
// Owned by SpaceState, which locks it; not thread-safe by itself.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "engram/memory/document_table.h"
#include "engram/memory/link_table.h"
#include "engram/memory/records.h"
#include "engram/memory/text_index.h"
#include "engram/memory/vector_index.h"

namespace engram::memory {

// What a committed write does to the index.
struct IndexChange {
  enum class Kind : uint8_t {
    kReplace,  // the memory is now this entry, embedding and these links
    kRemove,
    kLink,      // links holds the one that was added or changed
    kAllLinks,  // the memory's links are now these
  };
  Kind kind = Kind::kReplace;
  MemoryId id;
  IndexEntry entry;
  std::vector<float> embedding;
  std::vector<Link> links;
};

class SpaceIndex {
 public:
  void Apply(const IndexChange& change);

  // Embeddings of another dimension are left out from now on. Where it was another one before,
  // those that have the new one are missing until the index is loaded anew (Wasteful).
  void SetDimension(size_t dimension);
  size_t dimension() const { return dimension_; }

  // The steps of Apply, for loading.
  void Replace(std::string_view id, const IndexEntry& entry);
  // Does nothing if there is no such memory.
  void SetEmbedding(std::string_view id, std::span<const float> embedding);
  void SetLink(std::string_view from, std::string_view to, double weight);
  void Remove(std::string_view id);

  const DocumentTable& documents() const { return documents_; }
  const TextIndex& text() const { return text_; }
  const VectorIndex& vectors() const { return vectors_; }
  VectorIndex& vectors() { return vectors_; }
  const LinkTable& links() const { return links_; }

  // More dead than living, or a changed dimension: it should be loaded anew.
  bool Wasteful() const;

 private:
  size_t dimension_ = 0;  // 0: not fixed yet
  bool outdated_ = false;
  DocumentTable documents_;
  TextIndex text_;
  VectorIndex vectors_;
  LinkTable links_;
};

}  // namespace engram::memory
