#include "engram/memory/keys.h"

#include <algorithm>

#include "engram/base/codec.h"

namespace engram::memory {
namespace {

void AppendVersion(std::string& key, const Version& version) {
  AppendBigEndian64(key, version.epoch.counter);
  key.append(version.epoch.primary.view()).push_back('\0');
  AppendBigEndian64(key, version.sequence);
}

}  // namespace

std::string SpacePrefix(std::string_view space) {
  std::string key;
  key.reserve(space.size() + 64);
  key.append(space).push_back('\0');
  return key;
}

std::string MemoryKey(const SpaceId& space, const MemoryId& id) {
  return SpacePrefix(space.view()).append(id.view());
}

std::string LinksPrefix(const SpaceId& space, const MemoryId& from) {
  std::string key = MemoryKey(space, from);
  key.push_back('\0');
  return key;
}

std::string LinkKey(const SpaceId& space, const MemoryId& from, const MemoryId& to) {
  return LinksPrefix(space, from).append(to.view());
}

std::string LogKey(const SpaceId& space, const Version& version) {
  std::string key = SpacePrefix(space.view());
  AppendVersion(key, version);
  return key;
}

std::optional<Version> PositionOf(const SpaceId& space, std::string_view log_key) {
  constexpr size_t kNumber = 8;
  log_key.remove_prefix(std::min(log_key.size(), space.view().size() + 1));
  if (log_key.size() < 2 * kNumber + 1) return std::nullopt;
  Version position;
  position.epoch.counter = ReadBigEndian64(log_key.substr(0, kNumber));
  log_key.remove_prefix(kNumber);
  position.epoch.primary = NodeId(log_key.substr(0, log_key.size() - kNumber - 1));
  position.sequence = ReadBigEndian64(log_key.substr(log_key.size() - kNumber));
  return position;
}

std::string OutboxKey(const SpaceId& space, const Revision& revision) {
  std::string key = SpacePrefix(space.view());
  AppendBigEndian64(key, static_cast<uint64_t>(ToInt(revision.clock)));
  AppendBigEndian64(key, revision.clock_counter);
  AppendVersion(key, revision.version);
  return key;
}

std::string RequestKey(const SpaceId& space, const WriteIdentity& identity) {
  std::string key = SpacePrefix(space.view());
  key.append(identity.request_id.ToBytes());
  AppendBigEndian64(key, identity.line);
  return key;
}

std::string RequestTimeKey(const SpaceId& space, WallMillis time) {
  std::string key = SpacePrefix(space.view());
  // A ULID starts with 48 bits of milliseconds.
  AppendBigEndian64(key, static_cast<uint64_t>(ToInt(time)) << 16);
  return key;
}

std::string SpaceRecordKey(const SpaceId& space) {
  return std::string(kSpaceRecordPrefix).append(space.view());
}

std::string SpaceLogKey(const SpaceId& space) {
  return std::string(kSpaceLogPrefix).append(space.view());
}

}  // namespace engram::memory
