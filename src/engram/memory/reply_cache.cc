#include "engram/memory/reply_cache.h"

#include <utility>

namespace engram::memory {
namespace {

// About what a map's slot, two strings and a shared pointer take besides their bytes.
constexpr size_t kEntryBytes = 160;

size_t BytesOf(std::string_view key, const ReplyCache::Bytes& bytes) {
  return kEntryBytes + key.size() + bytes->size();
}

}  // namespace

ReplyCache::ReplyCache(size_t bytes_max) : generation_bytes_max_(bytes_max / kShards / 2) {}

ReplyCache::Shard& ReplyCache::ShardOf(std::string_view key) {
  return shards_[StringHash()(key) / (~size_t{0} / kShards + 1)];
}

ReplyCache::Lookup ReplyCache::Find(std::string_view key) {
  Shard& shard = ShardOf(key);
  WriterLock lock(&shard.mutex);
  if (auto it = shard.young.find(key); it != shard.young.end()) return {it->second, kNoTicket};
  auto it = shard.old.find(key);
  if (it == shard.old.end()) return {nullptr, shard.writers == 0 ? shard.writes : kNoTicket};
  Bytes found = std::move(it->second);
  shard.old.erase(it);
  Add(shard, key, found);
  return {std::move(found), kNoTicket};
}

void ReplyCache::Keep(std::string_view key, uint64_t ticket, const Bytes& bytes) {
  if (ticket == kNoTicket || BytesOf(key, bytes) > generation_bytes_max_) return;
  Shard& shard = ShardOf(key);
  WriterLock lock(&shard.mutex);
  if (shard.writers > 0 || shard.writes != ticket) return;
  if (!shard.young.contains(key)) Add(shard, key, bytes);
}

void ReplyCache::Add(Shard& shard, std::string_view key, const Bytes& bytes) {
  shard.young_bytes += BytesOf(key, bytes);
  shard.young.emplace(key, bytes);
  if (shard.young_bytes <= generation_bytes_max_) return;
  shard.old = std::exchange(shard.young, {});
  shard.young_bytes = 0;
}

ReplyCache::WriteGuard::WriteGuard(ReplyCache& cache, std::vector<std::string> keys)
    : cache_(cache), keys_(std::move(keys)) {
  for (const std::string& key : keys_) {
    Shard& shard = cache_.ShardOf(key);
    WriterLock lock(&shard.mutex);
    ++shard.writers;
    ++shard.writes;
    shard.old.erase(key);
    auto it = shard.young.find(key);
    if (it == shard.young.end()) continue;
    shard.young_bytes -= BytesOf(key, it->second);
    shard.young.erase(it);
  }
}

ReplyCache::WriteGuard::~WriteGuard() {
  for (const std::string& key : keys_) {
    Shard& shard = cache_.ShardOf(key);
    WriterLock lock(&shard.mutex);
    --shard.writers;
  }
}

}  // namespace engram::memory
