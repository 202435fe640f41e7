#include "engram/memory/index_loader.h"

#include "absl/functional/function_ref.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using storage::Family;

// Calls `take` with what follows the space in each key, and the value, until one fails.
absl::Status ForEach(
    const storage::Database& database, const storage::Snapshot& snapshot, Family family,
    std::string_view prefix,
    absl::FunctionRef<absl::Status(std::string_view rest, std::string_view value)> take) {
  auto cursor = database.Scan(family, prefix, &snapshot);
  for (; cursor->valid(); cursor->Next()) {
    absl::Status taken = take(cursor->key().substr(prefix.size()), cursor->value());
    if (!taken.ok()) return taken;
  }
  return cursor->status();
}

}  // namespace

absl::Status LoadIndex(const storage::Database& database, const SpaceId& space, SpaceIndex& index) {
  const std::string prefix = SpacePrefix(space.view());
  const auto snapshot = database.TakeSnapshot();

  absl::Status status = ForEach(database, *snapshot, Family::kTerms, prefix,
                                [&](std::string_view id, std::string_view value) {
                                  auto entry = DecodeIndexEntry(value);
                                  if (entry.ok()) index.Replace(id, *entry);
                                  return entry.status();
                                });
  if (!status.ok()) return status;
  status = ForEach(database, *snapshot, Family::kVectors, prefix,
                   [&](std::string_view id, std::string_view value) {
                     auto embedding = DecodeEmbedding(value);
                     if (embedding.ok()) index.SetEmbedding(id, *embedding);
                     return embedding.status();
                   });
  if (!status.ok()) return status;
  return ForEach(database, *snapshot, Family::kLinks, prefix,
                 [&](std::string_view ends, std::string_view value) {
                   const size_t nul = ends.find('\0');
                   const std::string_view from = ends.substr(0, nul);
                   // A forgotten memory may have links that the forget has not seen.
                   if (index.documents().Find(from) == kNoOrdinal) return absl::OkStatus();
                   auto links = DecodeLinks(value, MemoryId(ends.substr(nul + 1)));
                   if (!links.ok()) return links.status();
                   index.SetLink(from, links->front().to.view(), links->front().weight);
                   return absl::OkStatus();
                 });
}

}  // namespace engram::memory
