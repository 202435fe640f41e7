#include "engram/memory/space_digest.h"

#include <xxhash.h>

#include <array>
#include <memory>

#include "engram/base/codec.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using storage::Family;

struct Free {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};
using State = std::unique_ptr<XXH3_state_t, Free>;

// Lengths first, so that no two different sequences look the same.
void Add(XXH3_state_t* state, std::string_view bytes) {
  std::string size;
  AppendBigEndian64(size, bytes.size());
  XXH3_128bits_update(state, size.data(), size.size());
  XXH3_128bits_update(state, bytes.data(), bytes.size());
}

struct Source {
  const storage::Database& database;
  const storage::Snapshot& snapshot;
};

absl::Status AddFamily(XXH3_state_t* state, const Source& source, Family family,
                       std::string_view prefix, std::string_view from) {
  auto cursor = source.database.Scan(family, prefix, &source.snapshot);
  cursor->Seek(from);
  for (; cursor->valid(); cursor->Next()) {
    Add(state, cursor->key());
    Add(state, cursor->value());
  }
  Add(state, "");  // the family ends
  return cursor->status();
}

}  // namespace

absl::StatusOr<SpaceDigest> DigestOf(const storage::Database& database, const SpaceId& space,
                                     WallMillis requests_from) {
  const auto snapshot = database.TakeSnapshot();
  const Source source{database, *snapshot};
  const State state(XXH3_createState());
  XXH3_128bits_reset(state.get());
  const std::string prefix = SpacePrefix(space.view());
  for (Family family : {Family::kMemories, Family::kTerms, Family::kLinks, Family::kVectors}) {
    absl::Status added = AddFamily(state.get(), source, family, prefix, prefix);
    if (!added.ok()) return added;
  }
  absl::Status added = AddFamily(state.get(), source, Family::kRequests, prefix,
                                 RequestTimeKey(space, requests_from));
  if (!added.ok()) return added;
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return SpaceDigest{hash.high64, hash.low64};
}

}  // namespace engram::memory
