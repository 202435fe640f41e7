#include "engram/memory/keys.h"

#include "engram/base/codec.h"

namespace engram::memory {

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
  AppendBigEndian64(key, version.epoch.counter);
  key.append(version.epoch.primary.view()).push_back('\0');
  AppendBigEndian64(key, version.sequence);
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

}  // namespace engram::memory
