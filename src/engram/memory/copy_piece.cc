#include "engram/memory/copy_piece.h"

#include <utility>
#include <vector>

#include "engram/base/codec.h"
#include "engram/memory/keys.h"
#include "engram/memory/record_parts.h"
#include "engram/memory/records.h"

namespace engram::memory {
namespace {

using replication::CopyPiece;
using replication::LogPort;
using replication::ReadLimits;
using storage::Cursor;
using storage::Family;

constexpr char kMemories = 'm';
constexpr char kRequests = 'r';

std::string KeyOf(char section, std::string_view name) {
  return std::string(1, section).append(name);
}

bool IsBeyond(const std::string& key, const std::string& until) {
  return !until.empty() && key > until;
}

// The first entry of the section behind the key `after`, which may be of another one.
std::unique_ptr<Cursor> StartAfter(const CopySource& source, Family family, char section,
                                   const std::string& prefix, const std::string& after) {
  auto cursor = source.scan(family, prefix);
  if (after.empty() || after[0] != section) return cursor;
  const std::string key = prefix + after.substr(1);
  cursor->Seek(key);
  if (cursor->valid() && cursor->key() == key) cursor->Next();
  return cursor;
}

absl::StatusOr<std::string> EncodeItem(const CopySource& source, const SpaceId& space,
                                       const MemoryId& id, std::string_view record) {
  auto vector = source.get(Family::kVectors, MemoryKey(space, id));
  if (!vector.ok()) return vector.status();
  Encoder out;
  out.Byte(kMemories);
  out.Bytes(id.view());
  out.Bytes(record);
  out.Bytes(vector->value_or(""));
  const std::string prefix = LinksPrefix(space, id);
  auto links = source.scan(Family::kLinks, prefix);
  for (; links->valid(); links->Next()) {
    out.Bytes(links->key().substr(prefix.size()));
    out.Bytes(links->value());
  }
  if (absl::Status status = links->status(); !status.ok()) return status;
  return out.Take();
}

// Fills a piece as far as the limits go.
class Filling {
 public:
  Filling(CopyPiece& piece, const ReadLimits& limits) : piece_(piece), limits_(limits) {}

  bool HasRoom() const {
    return piece_.items.size() < limits_.entries_max && bytes_ < limits_.bytes_max;
  }
  void Add(std::string key, std::string item) {
    bytes_ += item.size();
    last_ = std::move(key);
    piece_.items.push_back(std::move(item));
  }
  // There is more, which had no room.
  void Stop() { piece_.until = last_; }

 private:
  CopyPiece& piece_;
  const ReadLimits limits_;
  size_t bytes_ = 0;
  std::string last_;
};

// Whether it came to the end of the section.
absl::StatusOr<bool> FillMemories(const CopySource& source, const SpaceId& space, CopyPiece& piece,
                                  Filling& filling) {
  const std::string prefix = SpacePrefix(space.view());
  auto cursor = StartAfter(source, Family::kMemories, kMemories, prefix, piece.after);
  for (; cursor->valid(); cursor->Next()) {
    const MemoryId id(cursor->key().substr(prefix.size()));
    std::string key = KeyOf(kMemories, id.view());
    if (IsBeyond(key, piece.until)) return false;
    if (!filling.HasRoom()) {
      filling.Stop();
      return false;
    }
    auto item = EncodeItem(source, space, id, cursor->value());
    if (!item.ok()) return item.status();
    filling.Add(std::move(key), *std::move(item));
  }
  if (absl::Status status = cursor->status(); !status.ok()) return status;
  return true;
}

absl::Status FillRequests(const CopySource& source, const SpaceId& space, CopyPiece& piece,
                          Filling& filling) {
  const std::string prefix = SpacePrefix(space.view());
  auto cursor = StartAfter(source, Family::kRequests, kRequests, prefix, piece.after);
  for (; cursor->valid(); cursor->Next()) {
    const std::string_view name = cursor->key().substr(prefix.size());
    std::string key = KeyOf(kRequests, name);
    if (IsBeyond(key, piece.until)) return absl::OkStatus();
    if (!filling.HasRoom()) {
      filling.Stop();
      return absl::OkStatus();
    }
    Encoder out;
    out.Byte(kRequests);
    out.Bytes(name);
    out.Bytes(cursor->value());
    filling.Add(std::move(key), out.Take());
  }
  return cursor->status();
}

absl::StatusOr<MemoryItem> DecodeMemoryItem(Decoder& in) {
  MemoryItem item{MemoryId(in.Bytes()), {}};
  auto record = DecodeMemory(in.Bytes());
  if (!record.ok()) return record.status();
  item.state.revisions = std::move(record->revisions);
  if (const std::string_view vector = in.Bytes(); !vector.empty()) {
    auto embedding = DecodeEmbedding(vector);
    if (!embedding.ok()) return embedding.status();
    if (item.state.revisions.empty()) return parts::Damaged("piece of a copy");
    item.state.revisions.front().memory.embedding = *std::move(embedding);
  }
  while (in.ok() && !in.rest().empty()) {
    const MemoryId to(in.Bytes());
    auto links = DecodeLinks(in.Bytes(), to);
    if (!links.ok()) return links.status();
    std::move(links->begin(), links->end(), std::back_inserter(item.state.links));
  }
  if (!in.Finished() || item.id.empty() || item.state.empty()) {
    return parts::Damaged("piece of a copy");
  }
  return item;
}

}  // namespace

CopySource SourceOf(const storage::Database& database, const storage::Snapshot& snapshot) {
  return {[&](Family family, std::string_view key) { return database.Get(family, key, &snapshot); },
          [&](Family family, std::string_view prefix) {
            return database.Scan(family, prefix, &snapshot);
          }};
}

CopySource SourceOf(const storage::Batch& batch) {
  return {[&](Family family, std::string_view key) { return batch.Get(family, key); },
          [&](Family family, std::string_view prefix) { return batch.Scan(family, prefix); }};
}

absl::StatusOr<CopyPiece> ReadPiece(const CopySource& source, const SpaceId& space,
                                    const std::string& after, const std::string& until,
                                    LogPort::Part part, const ReadLimits& limits) {
  CopyPiece piece{after, until, {}, {}};
  Filling filling(piece, limits);
  bool memories_done = true;
  if (after.empty() || after[0] == kMemories) {
    auto done = FillMemories(source, space, piece, filling);
    if (!done.ok()) return done.status();
    memories_done = *done;
  }
  if (!memories_done || part == LogPort::Part::kMemories) return piece;
  if (absl::Status filled = FillRequests(source, space, piece, filling); !filled.ok()) {
    return filled;
  }
  return piece;
}

absl::StatusOr<std::string> ReadMemoryItem(const CopySource& source, const SpaceId& space,
                                           const MemoryId& id) {
  auto record = source.get(Family::kMemories, MemoryKey(space, id));
  if (!record.ok()) return record.status();
  if (!record->has_value()) return "";
  return EncodeItem(source, space, id, **record);
}

absl::StatusOr<CopyItem> DecodeItem(std::string_view bytes) {
  Decoder in(bytes);
  const uint8_t section = in.Byte();
  if (section == kMemories) return DecodeMemoryItem(in);
  RequestItem item{std::string(in.Bytes()), std::string(in.Bytes())};
  if (section != kRequests || !in.Finished() || !DecodeRequest(item.value).ok()) {
    return parts::Damaged("piece of a copy");
  }
  return item;
}

absl::StatusOr<CopyRange> ListRange(const CopySource& source, const SpaceId& space,
                                    const CopyPiece& piece) {
  CopyRange range;
  const std::string prefix = SpacePrefix(space.view());
  auto list = [&](Family family, char section, auto&& take) {
    if (!piece.after.empty() && piece.after[0] > section) return absl::OkStatus();
    auto cursor = StartAfter(source, family, section, prefix, piece.after);
    for (; cursor->valid(); cursor->Next()) {
      const std::string_view name = cursor->key().substr(prefix.size());
      if (IsBeyond(KeyOf(section, name), piece.until)) break;
      take(name, cursor->value());
    }
    return cursor->status();
  };
  absl::Status listed = list(Family::kMemories, kMemories,
                             [&](auto name, auto) { range.memories.emplace_back(name); });
  if (!listed.ok()) return listed;
  listed = list(Family::kRequests, kRequests, [&](auto name, auto value) {
    range.requests.push_back({std::string(name), std::string(value)});
  });
  if (!listed.ok()) return listed;
  return range;
}

}  // namespace engram::memory
