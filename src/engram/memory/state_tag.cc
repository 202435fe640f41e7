#include "engram/memory/state_tag.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <iterator>
#include <utility>

#include "engram/base/codec.h"
#include "engram/base/error.h"
#include "engram/memory/keys.h"
#include "engram/memory/records.h"

namespace engram::memory {
namespace {

using storage::Family;

constexpr std::string_view kField = "if_state";  // as the requests call it

void Put(Encoder& out, const Version& origin) {
  out.Bytes(origin.epoch.primary.view());
  out.Varint(origin.epoch.counter);
  out.Varint(origin.sequence);
}

}  // namespace

uint64_t TagOf(const MemoryState& state) {
  Encoder out;
  out.Varint(state.revisions.size());
  for (const RevisionRecord& revision : state.revisions) Put(out, revision.origin());
  for (const LinkRecord& link : state.links) {
    out.Bytes(link.to.view());
    out.Double(link.weight);  // links from before they had an origin
    Put(out, link.origin);
  }
  return XXH3_64bits(out.data().data(), out.data().size());
}

absl::StatusOr<uint64_t> ReadStateTag(const storage::Database& database, const SpaceId& space,
                                      const MemoryId& id) {
  const auto snapshot = database.TakeSnapshot();
  MemoryState state;
  auto bytes = database.Get(Family::kMemories, MemoryKey(space, id), snapshot.get());
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return TagOf(state);
  auto record = DecodeMemory(**bytes);
  if (!record.ok()) return record.status();
  state.revisions = std::move(record->revisions);
  if (!record->has_links) return TagOf(state);
  const std::string prefix = LinksPrefix(space, id);
  auto cursor = database.Scan(Family::kLinks, prefix, snapshot.get());
  for (; cursor->valid(); cursor->Next()) {
    auto links = DecodeLinks(cursor->value(), MemoryId(cursor->key().substr(prefix.size())));
    if (!links.ok()) return links.status();
    std::move(links->begin(), links->end(), std::back_inserter(state.links));
  }
  if (!cursor->status().ok()) return cursor->status();
  return TagOf(state);
}

absl::Status ChangedMeanwhile(const SpaceId& space, const MemoryId& id) {
  return InvalidArgument(
      kField, fmt::format("memory '{}' in the space '{}' has been changed since it was read",
                          id.view(), space.view()));
}

bool IsChangedMeanwhile(const absl::Status& status) {
  const ErrorDetail detail = DetailOf(status);
  return detail.code == ErrorCode::kInvalidArgument && detail.field == kField;
}

}  // namespace engram::memory
