#include "engram/membership/record_parcels.h"

#include <initializer_list>
#include <iterator>

namespace engram::membership {
namespace {

// A bucket's number and the count of its versions, at most.
constexpr size_t kBucketHead = 8;
// What a record is longer than its key, at least.
constexpr size_t kRecordExtra = 6;

std::string Numbers(std::initializer_list<size_t> numbers) {
  Encoder out;
  for (size_t number : numbers) out.Varint(number);
  return out.Take();
}

}  // namespace

bool Parcel::Add(std::string_view item) {
  if (items_.size() + item.size() > bytes_max_) return false;
  items_ += item;
  ++count_;
  return true;
}

void Parcel::AppendTo(std::string& message) const {
  message += Numbers({count_});
  message += items_;
}

VersionsParcel::VersionsParcel(const RecordStore::Buckets& differing, size_t bytes_max)
    : bytes_max_(bytes_max), buckets_(differing) {
  for (size_t b = 0; b < buckets_.size(); ++b) {
    if (buckets_[b]) gathered_.try_emplace(b);
  }
  bytes_ = gathered_.size() * kBucketHead;
  while (bytes_ > bytes_max_) GiveUpLast();
}

void VersionsParcel::Add(std::string_view key, const Version& version) {
  auto found = gathered_.find(VersionDigest::BucketOf(key));
  if (found == gathered_.end()) return;
  Bucket& bucket = found->second;
  const size_t before = bucket.versions.data().size();
  PutKeyVersion(bucket.versions, key, version);
  ++bucket.count;
  bytes_ += bucket.versions.data().size() - before;
  while (bytes_ > bytes_max_) GiveUpLast();
}

void VersionsParcel::GiveUpLast() {
  auto last = std::prev(gathered_.end());
  bytes_ -= kBucketHead + last->second.versions.data().size();
  buckets_.reset(last->first);
  gathered_.erase(last);
  more_ = true;
}

void VersionsParcel::AppendTo(std::string& message) const {
  message += Numbers({gathered_.size()});
  for (const auto& [number, bucket] : gathered_) {
    message += Numbers({number, bucket.count});
    message += bucket.versions.data();
  }
}

Differences::Differences(const std::vector<BucketVersions>& theirs, size_t bytes_max)
    : theirs_(theirs), bytes_max_(bytes_max) {
  for (const BucketVersions& bucket : theirs) {
    buckets_.set(bucket.bucket);
    for (const KeyVersion& head : bucket.keys) their_[head.key] = {&head.version};
  }
}

void Differences::AddMine(std::string_view key, const Version& version) {
  auto found = their_.find(key);
  if (found != their_.end()) {
    found->second.newer = version < *found->second.version;
    if (version <= *found->second.version) return;
  }
  bytes_ += key.size() + kRecordExtra;
  if (bytes_ > bytes_max_) {
    more_ = true;
    return;
  }
  newer_here_.emplace_back(key);
}

std::vector<std::string_view> Differences::NewerThere() const {
  std::vector<std::string_view> newer;
  for (const BucketVersions& bucket : theirs_) {
    for (const KeyVersion& head : bucket.keys) {
      if (their_.at(head.key).newer) newer.push_back(head.key);
    }
  }
  return newer;
}

}  // namespace engram::membership
