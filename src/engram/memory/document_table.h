// The documents of one space's index: which there are, what filters ask about them, and short
// numbers for both documents and ids.
//
// Two kinds of numbers. An Ordinal is one content of one memory: an update kills the old ordinal
// and adds a new one at the end, so everything that is kept per ordinal is append-only. An IdNumber
// is a memory id, for good, whether or not the memory exists (links may point at what does not
// exist yet).
//
// Owned by SpaceIndex; not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engram/base/string_hash.h"
#include "engram/memory/filter.h"
#include "engram/memory/records.h"

namespace engram::memory {

using Ordinal = uint32_t;
using IdNumber = uint32_t;
inline constexpr Ordinal kNoOrdinal = UINT32_MAX;

class DocumentTable {
 public:
  // REQUIRES: no document of this id is alive.
  Ordinal Add(IdNumber id, const Attributes& attributes);
  void Kill(Ordinal document);

  // Makes a number for an id that has none.
  IdNumber Number(std::string_view id);

  // The living document of an id, else kNoOrdinal.
  Ordinal Find(std::string_view id) const;
  Ordinal DocumentOf(IdNumber id) const { return current_[id]; }

  const std::string& Name(IdNumber id) const { return names_[id]; }
  IdNumber IdOf(Ordinal document) const { return rows_[document].id; }
  bool Alive(Ordinal document) const { return rows_[document].alive; }
  double ConfidenceOf(Ordinal document) const { return rows_[document].confidence; }

  // Alive and let through by the filter.
  bool Passes(Ordinal document, const Filter& filter) const;

  // Dead ones included.
  size_t size() const { return rows_.size(); }
  size_t alive() const { return alive_; }

 private:
  struct Row {
    double confidence;
    WallMillis occurred_at;
    uint32_t first_feature;
    uint16_t features;
    Kind kind;
    bool alive;
    IdNumber id;
  };

  std::vector<Row> rows_;           // by ordinal
  std::vector<uint64_t> features_;  // of all rows, one after the other
  size_t alive_ = 0;
  std::deque<std::string> names_;  // by id number; a deque, for its strings never move
  std::vector<Ordinal> current_;   // by id number
  absl::flat_hash_map<std::string_view, IdNumber, StringHash, StringEqual> numbers_;  // into names_
};

}  // namespace engram::memory
