#include "engram/membership/record_gossip.h"

#include <cstring>
#include <optional>
#include <utility>

#include "absl/base/macros.h"
#include "engram/base/error.h"
#include "engram/base/names.h"
#include "engram/membership/record_codec.h"
#include "engram/membership/record_parcels.h"

namespace engram::membership {
namespace {

// Of a message: its head and counts at most.
constexpr size_t kHeadRoom = 32;
// Of one record at most: key, version and value with their lengths.
constexpr size_t kRecordBytesMax =
    RecordGossip::kKeyBytesMax + kNodeIdBytesMax + RecordGossip::kValueBytesMax + 32;

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

std::string Head() { return std::string(1, static_cast<char>(kRecordFormat)); }

// The buckets whose hashes differ from those of a digest's message. REQUIRES: its size is right.
RecordStore::Buckets Differing(std::string_view digest, const VersionDigest& mine) {
  RecordStore::Buckets differing;
  for (size_t b = 0; b < RecordGossip::kBuckets; ++b) {
    const char* theirs = digest.data() + 1 + b * sizeof(uint64_t);
    differing[b] = std::memcmp(theirs, &mine.hashes()[b], sizeof(uint64_t)) != 0;
  }
  return differing;
}

struct SettlementRead {
  std::vector<Record> newer;
  std::vector<std::string> wanted;
};

std::optional<SettlementRead> ReadSettlement(std::string_view bytes) {
  Decoder in(bytes);
  if (!Begins(in)) return std::nullopt;
  std::optional<std::vector<Record>> newer = TakeRecords(in);
  if (!newer.has_value()) return std::nullopt;
  std::optional<std::vector<std::string>> wanted = TakeKeys(in);
  if (!wanted.has_value() || !in.Finished()) return std::nullopt;
  return SettlementRead{*std::move(newer), *std::move(wanted)};
}

// The records of these keys, as many as fit; whether all did. What the store has not is passed
// over.
template <class Keys>
bool Pack(const RecordStore& store, const Keys& keys, Parcel& parcel) {
  for (const auto& key : keys) {
    const std::optional<Record> record = store.Find(key);
    if (record.has_value() && !parcel.Add(Encoded(*record))) return false;
  }
  return true;
}

}  // namespace

bool RecordGossip::Put(const Record& record) {
  ABSL_HARDENING_ASSERT(!record.key.empty() && record.key.size() <= kKeyBytesMax);
  ABSL_HARDENING_ASSERT(record.value.size() <= kValueBytesMax);
  return Adopt(std::span(&record, 1), Source::kOwn) > 0;
}

bool RecordGossip::Announce(std::string_view key) {
  const std::optional<Record> record = store_.Find(key);
  if (!record.has_value()) return false;
  queue_.Push(record->key, Encoded(*record));
  return true;
}

size_t RecordGossip::Adopt(std::span<const Record> records, Source source) {
  const std::vector<size_t> newer = store_.Apply(records);
  for (size_t i : newer) {
    const Record& record = records[i];
    if (source != Source::kComparison) queue_.Push(record.key, Encoded(record));
    if (source != Source::kOwn) learnt_.push_back(record);
  }
  if (source != Source::kOwn) {
    counters_.heard += records.size();
    counters_.learnt += newer.size();
  }
  return newer.size();
}

void RecordGossip::AdoptCompared(const std::vector<Record>& records) {
  const Source source = records.size() <= options_.news_max ? Source::kNews : Source::kComparison;
  counters_.compared += Adopt(records, source);
}

std::vector<Record> RecordGossip::TakeLearnt() { return std::exchange(learnt_, {}); }

void RecordGossip::Fill(std::string& datagram, size_t size_max, size_t members) {
  queue_.Fill(datagram, size_max, RetransmitsMax(options_.retransmit_multiplier, members));
}

absl::Status RecordGossip::Hear(std::string_view news) {
  Decoder in(news);
  std::vector<Record> records;
  bool damaged = false;
  while (!in.Finished() && !damaged) {
    std::optional<Record> record = TakeRecord(in);
    damaged = !record.has_value();
    if (!damaged) records.push_back(*std::move(record));
  }
  Adopt(records, Source::kNews);
  return damaged ? Damaged() : absl::OkStatus();
}

std::string RecordGossip::Digest() const {
  const VersionDigest mine = store_.VersionsDigest();
  std::string digest = Head();
  digest.append(reinterpret_cast<const char*>(mine.hashes().data()), sizeof(mine.hashes()));
  return digest;
}

absl::StatusOr<std::string> RecordGossip::Compare(std::string_view digest) const {
  if (digest.size() != 1 + kBuckets * sizeof(uint64_t) || digest[0] != kRecordFormat) {
    return Damaged();
  }
  VersionsParcel versions(Differing(digest, store_.VersionsDigest()),
                          options_.message_bytes_max - kHeadRoom);
  if (versions.buckets().any()) {
    store_.VisitVersions(versions.buckets(), [&](std::string_view key, const Version& version) {
      versions.Add(key, version);
    });
  }
  std::string answer = Head();
  answer.push_back(versions.more() ? 1 : 0);
  versions.AppendTo(answer);
  return answer;
}

absl::StatusOr<RecordGossip::Settlement> RecordGossip::Settle(std::string_view versions) const {
  Decoder in(versions);
  if (!Begins(in)) return Damaged();
  bool more = in.Byte() != 0;
  const std::optional<std::vector<BucketVersions>> theirs = TakeVersions(in);
  if (!theirs.has_value() || !in.Finished()) return Damaged();
  const size_t bytes_max = options_.message_bytes_max / 2 - kHeadRoom;
  Differences differences(*theirs, bytes_max);
  if (!theirs->empty()) {
    store_.VisitVersions(differences.buckets(), [&](std::string_view key, const Version& version) {
      differences.AddMine(key, version);
    });
  }
  more |= differences.more();
  Parcel newer(bytes_max);
  Parcel wanted(bytes_max);
  more |= !Pack(store_, differences.newer_here(), newer);
  for (std::string_view key : differences.NewerThere()) more |= !wanted.Add(EncodedKey(key));
  // Their records may then not fit into one answer.
  more |= wanted.count() > options_.message_bytes_max / kRecordBytesMax;
  const bool equal = newer.empty() && wanted.empty();
  Settlement settlement{Head(), more && !equal, equal};
  newer.AppendTo(settlement.message);
  wanted.AppendTo(settlement.message);
  return settlement;
}

absl::StatusOr<std::string> RecordGossip::Complete(std::string_view settlement) {
  const std::optional<SettlementRead> read = ReadSettlement(settlement);
  if (!read.has_value()) return Damaged();
  AdoptCompared(read->newer);
  Parcel records(options_.message_bytes_max - kHeadRoom);
  Pack(store_, read->wanted, records);  // what does not fit is found by the next comparison
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
