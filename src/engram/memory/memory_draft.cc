#include "engram/memory/memory_draft.h"

#include <algorithm>

#include "engram/memory/filter.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using storage::Family;

// The links from `begin` on to one target.
std::span<const LinkRecord> LinksToOne(const std::vector<LinkRecord>& links, size_t begin) {
  size_t end = begin;
  while (end < links.size() && links[end].to == links[begin].to) ++end;
  return std::span(links).subspan(begin, end - begin);
}

std::span<const LinkRecord> LinksTo(const std::vector<LinkRecord>& links, const MemoryId& to) {
  for (size_t i = 0; i < links.size(); ++i) {
    if (links[i].to == to) return LinksToOne(links, i);
  }
  return {};
}

Attributes AttributesOf(const Memory& memory) {
  return {memory.kind, memory.confidence, memory.occurred_at,
          FeaturesOf(memory.tags, memory.metadata)};
}

}  // namespace

absl::StatusOr<MemoryDraft> MemoryDraft::Read(Stores stores, const MemoryId& id) {
  MemoryDraft draft(stores, id);
  absl::Status read = draft.ReadRecord();
  if (read.ok() && draft.has_links_) read = draft.ReadLinks();
  if (!read.ok()) return read;
  return draft;
}

absl::StatusOr<MemoryDraft> MemoryDraft::ReadWithLinksTo(Stores stores, const MemoryId& id,
                                                         const MemoryId& to) {
  MemoryDraft draft(stores, id);
  draft.all_links_ = false;
  absl::Status read = draft.ReadRecord();
  if (read.ok() && draft.has_links_) read = draft.ReadLinksTo(to);
  if (!read.ok()) return read;
  return draft;
}

absl::Status MemoryDraft::ReadRecord() {
  auto bytes = stores_.batch.Get(Family::kMemories, MemoryKey(stores_.space.id(), id_));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return absl::OkStatus();
  auto record = DecodeMemory(**bytes);
  if (!record.ok()) return record.status();
  has_links_ = record->has_links;
  state_.revisions = std::move(record->revisions);
  return absl::OkStatus();
}

absl::Status MemoryDraft::ReadLinks() {
  const std::string prefix = LinksPrefix(stores_.space.id(), id_);
  auto cursor = stores_.batch.Scan(Family::kLinks, prefix);
  for (; cursor->valid(); cursor->Next()) {
    auto links = DecodeLinks(cursor->value(), MemoryId(cursor->key().substr(prefix.size())));
    if (!links.ok()) return links.status();
    std::move(links->begin(), links->end(), std::back_inserter(state_.links));
  }
  return cursor->status();
}

absl::Status MemoryDraft::ReadLinksTo(const MemoryId& to) {
  auto bytes = stores_.batch.Get(Family::kLinks, LinkKey(stores_.space.id(), id_, to));
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return absl::OkStatus();
  auto links = DecodeLinks(**bytes, to);
  if (!links.ok()) return links.status();
  state_.links = *std::move(links);
  return absl::OkStatus();
}

MemoryDraft::Before MemoryDraft::Remember() const {
  Before before;
  if (const RevisionRecord* shown = Shown(state_); shown != nullptr) {
    before.alive = true;
    before.shown.has_embedding = shown->has_embedding;
    before.shown.text_length = shown->text_length;
    before.shown.memory.revision = shown->memory.revision;
  }
  before.siblings = CountSiblings(state_);
  before.tombstones = CountTombstones(state_);
  before.has_links = has_links_;
  for (const RevisionRecord& revision : state_.revisions) {
    before.revisions.push_back(revision.origin());
  }
  before.links = state_.links;
  return before;
}

absl::Status MemoryDraft::Apply(MemoryChange change, Effect effect, AnalyzedText* text) {
  const Before before = Remember();
  const Version origin = change.origin;
  memory::Apply(state_, std::move(change), effect);
  if (absl::Status read = TakeAlongEmbedding(); !read.ok()) return read;
  Put(before, origin, text);
  return absl::OkStatus();
}

void MemoryDraft::Collect(std::span<const replication::Tombstone> tombstones) {
  const Before before = Remember();
  for (const replication::Tombstone& tombstone : tombstones) {
    memory::Collect(state_, tombstone.origin);
  }
  stores_.space.collected += before.tombstones - CountTombstones(state_);
  Put(before, Version(), nullptr);
}

absl::Status MemoryDraft::Replace(MemoryState state) {
  Before before = Remember();
  before.replaced = true;
  state_ = std::move(state);
  Put(before, Version(), nullptr);
  return absl::OkStatus();
}

absl::Status MemoryDraft::TakeAlongEmbedding() {
  for (size_t i = 1; i < state_.revisions.size(); ++i) {
    RevisionRecord& revision = state_.revisions[i];
    if (!revision.has_embedding || !revision.memory.embedding.empty()) continue;
    auto bytes = stores_.batch.Get(Family::kVectors, MemoryKey(stores_.space.id(), id_));
    if (!bytes.ok()) return bytes.status();
    auto embedding = DecodeEmbedding(bytes->value_or(""));
    if (!embedding.ok()) return embedding.status();
    revision.memory.embedding = *std::move(embedding);
  }
  return absl::OkStatus();
}

void MemoryDraft::Put(const Before& before, const Version& changed, AnalyzedText* text) {
  stores_.space.touched.push_back(id_);
  has_links_ = !state_.links.empty() || (!all_links_ && has_links_);
  Count(before);
  PutLinks(before);
  const RevisionRecord* shown = Shown(state_);
  if (shown == nullptr) {
    if (before.alive) PutRemoved(before);
  } else if (before.replaced || !before.alive || shown->origin() != before.shown.origin()) {
    PutShown(before, changed, text);
  } else {
    ChangeLinksOfIndex(before);
  }
  PutTombstone(before);
  PutRecord(before);
}

void MemoryDraft::PutShown(const Before& before, const Version& changed, AnalyzedText* text) {
  RevisionRecord& shown = state_.revisions.front();
  const std::string key = MemoryKey(stores_.space.id(), id_);
  IndexChange change;
  change.kind = IndexChange::Kind::kReplace;
  change.id = id_;
  // What was a sibling until now is analysed here, on the commit thread: that is rare.
  const bool analysed = text != nullptr && shown.origin() == changed;
  change.entry = {analysed ? std::move(*text) : Analyze(shown.memory.content),
                  AttributesOf(shown.memory)};
  change.embedding = std::move(shown.memory.embedding);
  shown.memory.embedding.clear();
  change.links = ShownLinks(state_);
  stores_.batch.Put(Family::kTerms, key, EncodeIndexEntry(change.entry));
  if (shown.has_embedding) {
    stores_.batch.Put(Family::kVectors, key, EncodeEmbedding(change.embedding));
  } else if (before.shown.has_embedding) {
    stores_.batch.Delete(Family::kVectors, key);
  }
  stores_.space.changes.push_back(std::move(change));
}

void MemoryDraft::PutRemoved(const Before& before) {
  const std::string key = MemoryKey(stores_.space.id(), id_);
  stores_.batch.Delete(Family::kTerms, key);
  if (before.shown.has_embedding) stores_.batch.Delete(Family::kVectors, key);
  IndexChange change;
  change.kind = IndexChange::Kind::kRemove;
  change.id = id_;
  stores_.space.changes.push_back(std::move(change));
}

void MemoryDraft::PutLinks(const Before& before) {
  const SpaceId& space = stores_.space.id();
  for (size_t i = 0; i < before.links.size();) {
    const auto old = LinksToOne(before.links, i);
    if (LinksTo(state_.links, old[0].to).empty()) {
      stores_.batch.Delete(Family::kLinks, LinkKey(space, id_, old[0].to));
    }
    i += old.size();
  }
  for (size_t i = 0; i < state_.links.size();) {
    const auto now = LinksToOne(state_.links, i);
    const auto old = LinksTo(before.links, now[0].to);
    if (!std::equal(now.begin(), now.end(), old.begin(), old.end())) {
      stores_.batch.Put(Family::kLinks, LinkKey(space, id_, now[0].to), EncodeLinks(now));
    }
    i += now.size();
  }
}

// So that tombstones are found without reading all memories.
void MemoryDraft::PutTombstone(const Before& before) {
  const bool has = CountTombstones(state_) > 0;
  if (has == (before.tombstones > 0)) return;
  const std::string key = MemoryKey(stores_.space.id(), id_);
  if (has) {
    stores_.batch.Put(Family::kTombstones, key, "");
  } else {
    stores_.batch.Delete(Family::kTombstones, key);
  }
}

void MemoryDraft::PutRecord(const Before& before) {
  const bool same =
      !before.replaced && before.has_links == has_links_ &&
      std::equal(before.revisions.begin(), before.revisions.end(), state_.revisions.begin(),
                 state_.revisions.end(), [](const Version& origin, const RevisionRecord& revision) {
                   return origin == revision.origin();
                 });
  if (same) return;
  const std::string key = MemoryKey(stores_.space.id(), id_);
  if (state_.revisions.empty() && !has_links_) {
    stores_.batch.Delete(Family::kMemories, key);
  } else {
    const MemoryRecord record{has_links_, std::move(state_.revisions)};
    stores_.batch.Put(Family::kMemories, key, EncodeMemory(record));
  }
}

void MemoryDraft::Count(const Before& before) {
  SpaceRecord& space = stores_.space.record;
  space.siblings += CountSiblings(state_) - before.siblings;
  space.tombstones += CountTombstones(state_) - before.tombstones;
  if (before.alive) {
    space.memories -= 1;
    space.words -= before.shown.text_length;
    space.vectors -= before.shown.has_embedding ? 1 : 0;
  }
  const RevisionRecord* shown = Shown(state_);
  if (shown == nullptr) return;
  space.memories += 1;
  space.words += shown->text_length;
  space.vectors += shown->has_embedding ? 1 : 0;
}

void MemoryDraft::ChangeLinksOfIndex(const Before& before) {
  if (before.links == state_.links) return;
  IndexChange change;
  change.kind = all_links_ ? IndexChange::Kind::kAllLinks : IndexChange::Kind::kLink;
  change.id = id_;
  change.links = ShownLinks(state_);
  stores_.space.changes.push_back(std::move(change));
}

}  // namespace engram::memory
