#include "engram/memory/space_index.h"

namespace engram::memory {
namespace {

// Below this, sweeping out is not worth a reload.
constexpr size_t kDeadMin = 1000;

}  // namespace

void SpaceIndex::Apply(const IndexChange& change) {
  if (change.kind == IndexChange::Kind::kRemove) {
    Remove(change.id.view());
    return;
  }
  if (change.kind == IndexChange::Kind::kReplace) {
    Replace(change.id.view(), change.entry);
    if (!change.embedding.empty()) SetEmbedding(change.id.view(), change.embedding);
  }
  if (change.kind == IndexChange::Kind::kAllLinks) {
    if (documents_.Find(change.id.view()) == kNoOrdinal) return;
    links_.RemoveAll(documents_.Number(change.id.view()));
  }
  for (const Link& link : change.links) SetLink(change.id.view(), link.to.view(), link.weight);
}

void SpaceIndex::SetDimension(size_t dimension) {
  if (dimension == dimension_) return;
  if (vectors_.rows() > 0) {
    vectors_ = VectorIndex();
    outdated_ = true;
  }
  dimension_ = dimension;
}

void SpaceIndex::Replace(std::string_view id, const IndexEntry& entry) {
  Remove(id);
  const Ordinal document = documents_.Add(documents_.Number(id), entry.attributes);
  text_.Add(document, entry.text);
}

void SpaceIndex::SetEmbedding(std::string_view id, std::span<const float> embedding) {
  if (embedding.size() != dimension_) return;
  const Ordinal document = documents_.Find(id);
  if (document != kNoOrdinal) vectors_.Add(document, embedding);
}

void SpaceIndex::SetLink(std::string_view from, std::string_view to, double weight) {
  const IdNumber from_number = documents_.Number(from);
  links_.Set(from_number, {documents_.Number(to), weight});
}

void SpaceIndex::Remove(std::string_view id) {
  const Ordinal document = documents_.Find(id);
  if (document == kNoOrdinal) return;
  links_.RemoveAll(documents_.IdOf(document));
  text_.Remove(document);
  documents_.Kill(document);
}

bool SpaceIndex::Wasteful() const {
  if (outdated_) return true;
  const size_t dead = documents_.size() - documents_.alive();
  return dead > kDeadMin && dead > documents_.alive();
}

}  // namespace engram::memory
