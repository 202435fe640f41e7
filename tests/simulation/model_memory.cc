#include "simulation/model_memory.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/base/macros.h"
#include "engram/base/codec.h"

namespace engram::simulation {
namespace {

using Kind = ModelChange::Kind;

void PutVersion(Encoder& out, const Version& version) {
  out.Varint(version.epoch.counter);
  out.Bytes(version.epoch.primary.view());
  out.Varint(version.sequence);
}

Version GetVersion(Decoder& in) {
  Version version;
  version.epoch.counter = in.Varint();
  version.epoch.primary = NodeId(in.Bytes());
  version.sequence = in.Varint();
  return version;
}

// Whether a change of that kind replaces the element if it has seen it.
bool Replaces(const ModelChange& change, const ModelChange& element) {
  if (change.kind != Kind::kLink) return true;
  return element.kind == Kind::kLink && element.value == change.value;
}

}  // namespace

std::string ModelChange::Encode() const {
  Encoder out;
  out.Byte(static_cast<uint8_t>(kind));
  out.Bytes(id.view());
  out.Bytes(value);
  out.Bytes(request);
  out.Varint(clock);
  PutVersion(out, origin);
  out.Varint(seen.rows().size());
  for (const Version& row : seen.rows()) PutVersion(out, row);
  out.Varint(previous);
  out.Byte(duplicate ? 1 : 0);
  out.Varint(holders.size());
  for (const NodeId& holder : holders) out.Bytes(holder.view());
  out.Varint(collected.size());
  for (const replication::Tombstone& tombstone : collected) {
    out.Bytes(tombstone.name);
    PutVersion(out, tombstone.origin);
  }
  return out.Take();
}

ModelChange ModelChange::Decode(std::string_view bytes) {
  Decoder in(bytes);
  ModelChange change;
  change.kind = static_cast<Kind>(in.Byte());
  change.id = MemoryId(in.Bytes());
  change.value = in.Bytes();
  change.request = in.Bytes();
  change.clock = in.Varint();
  change.origin = GetVersion(in);
  for (size_t rows = in.Count(); rows > 0; --rows) change.seen.Add(GetVersion(in));
  change.previous = in.Varint();
  change.duplicate = in.Byte() != 0;
  for (size_t count = in.Count(); count > 0; --count) change.holders.emplace_back(in.Bytes());
  change.collected.resize(in.Count());
  for (replication::Tombstone& tombstone : change.collected) {
    tombstone.name = in.Bytes();
    tombstone.origin = GetVersion(in);
  }
  ABSL_HARDENING_ASSERT(in.Finished());
  return change;
}

void ModelMemory::Apply(const ModelChange& change) {
  changes_.insert_or_assign(change.origin, change);
}

void ModelMemory::Collect(const Version& deletion) {
  for (const ModelChange* tombstone : Tombstones()) {
    if (tombstone->origin != deletion) continue;
    const VersionVector seen = tombstone->seen;
    std::erase_if(changes_, [&](const auto& entry) {
      return entry.first == deletion || seen.Covers(entry.first);
    });
    return;
  }
}

std::vector<const ModelChange*> ModelMemory::Tombstones() const {
  std::vector<const ModelChange*> tombstones = Elements();
  std::erase_if(tombstones, [](const ModelChange* e) { return e->kind != Kind::kForget; });
  return tombstones;
}

bool ModelMemory::IsReplaced(const ModelChange& change) const {
  return std::any_of(changes_.begin(), changes_.end(), [&](const auto& entry) {
    const ModelChange& other = entry.second;
    return other.seen.Covers(change.origin) && Replaces(other, change);
  });
}

std::vector<const ModelChange*> ModelMemory::Elements() const {
  std::vector<const ModelChange*> elements;
  for (const auto& [origin, change] : changes_) {
    if (!change.duplicate && !IsReplaced(change)) elements.push_back(&change);
  }
  return elements;
}

VersionVector ModelMemory::Seen(const ModelChange& change) const {
  VersionVector seen;
  for (const ModelChange* element : Elements()) {
    if (!Replaces(change, *element)) continue;
    seen.Add(element->origin);
    seen.Join(element->seen);
  }
  return seen;
}

std::vector<const ModelChange*> ModelMemory::Shown() const {
  std::vector<const ModelChange*> shown = Elements();
  std::erase_if(shown, [](const ModelChange* element) { return element->kind != Kind::kStore; });
  std::sort(shown.begin(), shown.end(), [](const ModelChange* a, const ModelChange* b) {
    return std::tie(a->clock, a->origin) > std::tie(b->clock, b->origin);
  });
  return shown;
}

std::vector<std::string> ModelMemory::Targets() const {
  std::set<std::string> targets;
  for (const ModelChange* element : Elements()) {
    if (element->kind == Kind::kLink) targets.insert(element->value);
  }
  return {targets.begin(), targets.end()};
}

std::string ModelMemory::Digest() const {
  std::string digest;
  for (const ModelChange* element : Elements()) {
    ModelChange plain = *element;
    plain.previous = 0;  // a matter of the log
    digest += plain.Encode();
  }
  return digest;
}

}  // namespace engram::simulation
