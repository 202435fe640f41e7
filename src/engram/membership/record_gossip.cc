#include "engram/membership/record_gossip.h"

#include <xxhash.h>

#include <cstring>
#include <utility>

#include "absl/base/macros.h"
#include "engram/base/error.h"
#include "engram/membership/record_codec.h"

namespace engram::membership {
namespace {

// Of the answer to a digest: what its head and the next bucket's need at most.
constexpr size_t kHeadRoom = 32;

uint64_t HashOf(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

size_t IndexOf(std::string_view key) { return HashOf(key) % RecordGossip::kBuckets; }

// Value left out: one version has one value.
uint64_t HashOf(const Record& record) {
  Encoder out;
  PutKeyVersion(out, record);
  return HashOf(out.data());
}

std::string Encoded(const Record& record) {
  Encoder out;
  PutRecord(out, record);
  return out.Take();
}

std::string EncodedKey(std::string_view key) {
  Encoder out;
  out.Bytes(key);
  return out.Take();
}

bool Begins(Decoder& in) { return in.Byte() == kRecordFormat; }

absl::Status Damaged() { return InvalidArgument("gossip", "the message is damaged"); }

// Records, as many as fit.
class Parcel {
 public:
  explicit Parcel(size_t bytes_max) : bytes_max_(bytes_max) {}

  bool Add(std::string_view item) {
    if (items_.size() + item.size() > bytes_max_) return false;
    items_ += item;
    ++count_;
    return true;
  }
  void AppendTo(std::string& message) const {
    Encoder count;
    count.Varint(count_);
    message += count.data();
    message += items_;
  }
  bool empty() const { return count_ == 0; }

 private:
  const size_t bytes_max_;
  std::string items_;
  size_t count_ = 0;
};

std::string Head() { return std::string(1, static_cast<char>(kRecordFormat)); }

}  // namespace

const RecordGossip::Bucket& RecordGossip::BucketOf(std::string_view key) const {
  return buckets_[IndexOf(key)];
}

const Record* RecordGossip::Find(std::string_view key) const {
  const auto& records = BucketOf(key).records;
  auto it = records.find(key);
  return it == records.end() ? nullptr : &it->second;
}

bool RecordGossip::Put(const Record& record) {
  ABSL_HARDENING_ASSERT(!record.key.empty() && record.key.size() <= kKeyBytesMax);
  ABSL_HARDENING_ASSERT(record.value.size() <= kValueBytesMax);
  return Adopt(record, Source::kOwn);
}

bool RecordGossip::Adopt(const Record& record, Source source) {
  Bucket& bucket = buckets_[IndexOf(record.key)];
  auto [it, is_new] = bucket.records.try_emplace(record.key, record);
  if (!is_new) {
    if (record.version <= it->second.version) return false;
    bucket.hash ^= HashOf(it->second);
    it->second = record;
  }
  bucket.hash ^= HashOf(record);
  size_ += is_new ? 1 : 0;
  if (source != Source::kComparison) queue_.Push(record.key, Encoded(record));
  if (source != Source::kOwn) learnt_.push_back(record);
  return true;
}

void RecordGossip::AdoptCompared(const std::vector<Record>& records) {
  const Source source = records.size() <= options_.news_max ? Source::kNews : Source::kComparison;
  for (const Record& record : records) Adopt(record, source);
}

std::vector<Record> RecordGossip::TakeLearnt() { return std::exchange(learnt_, {}); }

void RecordGossip::Fill(std::string& datagram, size_t size_max, size_t members) {
  queue_.Fill(datagram, size_max, RetransmitsMax(options_.retransmit_multiplier, members));
}

absl::Status RecordGossip::Hear(std::string_view news) {
  Decoder in(news);
  while (!in.Finished()) {
    const std::optional<Record> record = TakeRecord(in);
    if (!record.has_value()) return Damaged();
    Adopt(*record, Source::kNews);
  }
  return absl::OkStatus();
}

std::string RecordGossip::Digest() const {
  std::string digest = Head();
  for (const Bucket& bucket : buckets_) {
    digest.append(reinterpret_cast<const char*>(&bucket.hash), sizeof(bucket.hash));
  }
  return digest;
}

absl::StatusOr<std::string> RecordGossip::Compare(std::string_view digest) const {
  if (digest.size() != 1 + kBuckets * sizeof(uint64_t) || digest[0] != kRecordFormat) {
    return Damaged();
  }
  Parcel differing(options_.message_bytes_max - kHeadRoom);
  bool more = false;
  for (size_t i = 0; i < kBuckets && !more; ++i) {
    if (std::memcmp(digest.data() + 1 + i * sizeof(uint64_t), &buckets_[i].hash,
                    sizeof(uint64_t)) == 0) {
      continue;
    }
    Encoder out;
    out.Varint(i);
    out.Varint(buckets_[i].records.size());
    for (const auto& [key, record] : buckets_[i].records) PutKeyVersion(out, record);
    more = !differing.Add(out.data());
  }
  std::string answer = Head();
  answer.push_back(more ? 1 : 0);
  differing.AppendTo(answer);
  return answer;
}

absl::StatusOr<RecordGossip::Settlement> RecordGossip::Settle(std::string_view versions) const {
  Decoder in(versions);
  if (!Begins(in)) return Damaged();
  bool more = in.Byte() != 0;
  const std::optional<std::vector<BucketVersions>> theirs = TakeVersions(in);
  if (!theirs.has_value() || !in.Finished()) return Damaged();
  Parcel newer(options_.message_bytes_max / 2);
  Parcel wanted(options_.message_bytes_max / 2 - kHeadRoom);
  for (const BucketVersions& bucket : *theirs) {
    for (const Record* record : NewerThan(bucket)) more |= !newer.Add(Encoded(*record));
    for (const KeyVersion& head : bucket.keys) {
      const Record* mine = Find(head.key);
      if (mine == nullptr || mine->version < head.version)
        more |= !wanted.Add(EncodedKey(head.key));
    }
  }
  const bool equal = newer.empty() && wanted.empty();
  Settlement settlement{Head(), more && !equal, equal};
  newer.AppendTo(settlement.message);
  wanted.AppendTo(settlement.message);
  return settlement;
}

std::vector<const Record*> RecordGossip::NewerThan(const BucketVersions& theirs) const {
  std::map<std::string_view, const Version*> known;
  for (const KeyVersion& head : theirs.keys) known[head.key] = &head.version;
  std::vector<const Record*> newer;
  for (const auto& [key, record] : buckets_[theirs.bucket].records) {
    auto it = known.find(key);
    if (it == known.end() || *it->second < record.version) newer.push_back(&record);
  }
  return newer;
}

absl::StatusOr<std::string> RecordGossip::Complete(std::string_view settlement) {
  Decoder in(settlement);
  if (!Begins(in)) return Damaged();
  const std::optional<std::vector<Record>> newer = TakeRecords(in);
  if (!newer.has_value()) return Damaged();
  const std::optional<std::vector<std::string>> wanted = TakeKeys(in);
  if (!wanted.has_value() || !in.Finished()) return Damaged();
  AdoptCompared(*newer);
  Parcel records(options_.message_bytes_max - kHeadRoom);
  for (const std::string& key : *wanted) {
    const Record* record = Find(key);
    // What does not fit is found by the next comparison.
    if (record != nullptr && !records.Add(Encoded(*record))) break;
  }
  std::string answer = Head();
  records.AppendTo(answer);
  return answer;
}

absl::Status RecordGossip::Take(std::string_view records) {
  Decoder in(records);
  if (!Begins(in)) return Damaged();
  const std::optional<std::vector<Record>> taken = TakeRecords(in);
  if (!taken.has_value() || !in.Finished()) return Damaged();
  AdoptCompared(*taken);
  return absl::OkStatus();
}

}  // namespace engram::membership
