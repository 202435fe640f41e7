#include "engram/memory/document_table.h"

namespace engram::memory {

Ordinal DocumentTable::Add(IdNumber id, const Attributes& attributes) {
  Row row;
  row.confidence = attributes.confidence;
  row.occurred_at = attributes.occurred_at;
  row.first_feature = static_cast<uint32_t>(features_.size());
  row.features = static_cast<uint16_t>(attributes.features.size());
  row.kind = attributes.kind;
  row.alive = true;
  row.id = id;
  features_.insert(features_.end(), attributes.features.begin(), attributes.features.end());
  const auto document = static_cast<Ordinal>(rows_.size());
  rows_.push_back(row);
  current_[id] = document;
  ++alive_;
  return document;
}

void DocumentTable::Kill(Ordinal document) {
  rows_[document].alive = false;
  current_[rows_[document].id] = kNoOrdinal;
  --alive_;
}

IdNumber DocumentTable::Number(std::string_view id) {
  if (auto found = numbers_.find(id); found != numbers_.end()) return found->second;
  const auto number = static_cast<IdNumber>(names_.size());
  numbers_.emplace(names_.emplace_back(id), number);
  current_.push_back(kNoOrdinal);
  return number;
}

Ordinal DocumentTable::Find(std::string_view id) const {
  auto found = numbers_.find(id);
  return found == numbers_.end() ? kNoOrdinal : current_[found->second];
}

bool DocumentTable::Passes(Ordinal document, const Filter& filter) const {
  const Row& row = rows_[document];
  if (!row.alive) return false;
  if (filter.trivial()) return true;
  return filter.Passes(row.kind, row.confidence, row.occurred_at,
                       std::span(features_).subspan(row.first_feature, row.features));
}

}  // namespace engram::memory
