// Records in a map, for tests.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engram/membership/record_store.h"

namespace engram::membership {

// Not thread-safe.
class MapRecordStore : public RecordStore {
 public:
  VersionDigest VersionsDigest() const override { return digest_; }

  void VisitVersions(const Buckets& buckets, VisitVersion visit) const override {
    for (const auto& [key, record] : records_) {
      if (buckets[VersionDigest::BucketOf(key)]) visit(key, record.version);
    }
  }

  std::optional<Record> Find(std::string_view key) const override {
    auto found = records_.find(key);
    if (found == records_.end()) return std::nullopt;
    return found->second;
  }

  std::vector<size_t> Apply(std::span<const Record> batch) override {
    std::vector<size_t> newer;
    for (size_t i = 0; i < batch.size(); ++i) {
      if (ApplyOne(batch[i])) newer.push_back(i);
    }
    return newer;
  }

  size_t size() const { return records_.size(); }
  const std::map<std::string, Record, std::less<>>& records() const { return records_; }

 private:
  bool ApplyOne(const Record& record) {
    auto [known, is_new] = records_.try_emplace(record.key, record);
    if (!is_new) {
      if (record.version <= known->second.version) return false;
      digest_.Toggle(record.key, VersionDigest::ViewOf(known->second.version));
      known->second = record;
    }
    digest_.Toggle(record.key, VersionDigest::ViewOf(record.version));
    return true;
  }

  std::map<std::string, Record, std::less<>> records_;
  VersionDigest digest_;
};

}  // namespace engram::membership
