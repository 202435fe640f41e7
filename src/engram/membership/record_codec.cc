#include "engram/membership/record_codec.h"

#include "engram/base/names.h"
#include "engram/membership/record_gossip.h"

namespace engram::membership {
namespace {

void PutVersion(Encoder& out, const Version& version) {
  out.Varint(version.epoch.counter);
  out.Bytes(version.epoch.primary.view());
  out.Varint(version.sequence);
}

std::optional<Version> TakeVersion(Decoder& in) {
  Version version;
  version.epoch.counter = in.Varint();
  version.epoch.primary = NodeId(in.Bytes());
  version.sequence = in.Varint();
  const bool named = CheckNodeId("primary", version.epoch.primary.view()).ok();
  if (!in.ok() || !named) return std::nullopt;
  return version;
}

std::optional<std::string> TakeKey(Decoder& in) {
  const std::string_view key = in.Bytes();
  if (!in.ok() || key.empty() || key.size() > RecordGossip::kKeyBytesMax) return std::nullopt;
  return std::string(key);
}

std::optional<KeyVersion> TakeKeyVersion(Decoder& in) {
  std::optional<std::string> key = TakeKey(in);
  if (!key.has_value()) return std::nullopt;
  std::optional<Version> version = TakeVersion(in);
  if (!version.has_value()) return std::nullopt;
  return KeyVersion{*std::move(key), *std::move(version)};
}

// `take` reads one; as many as the count says.
template <class T, class TakeOne>
std::optional<std::vector<T>> TakeMany(Decoder& in, TakeOne take) {
  std::vector<T> all;
  for (size_t left = in.Count(); in.ok() && left > 0; --left) {
    std::optional<T> one = take(in);
    if (!one.has_value()) return std::nullopt;
    all.push_back(*std::move(one));
  }
  if (!in.ok()) return std::nullopt;
  return all;
}

std::optional<BucketVersions> TakeBucket(Decoder& in) {
  BucketVersions bucket;
  bucket.bucket = in.Varint();
  if (bucket.bucket >= RecordGossip::kBuckets) return std::nullopt;
  std::optional<std::vector<KeyVersion>> keys = TakeMany<KeyVersion>(in, TakeKeyVersion);
  if (!keys.has_value()) return std::nullopt;
  bucket.keys = *std::move(keys);
  return bucket;
}

}  // namespace

void PutRecord(Encoder& out, const Record& record) {
  PutKeyVersion(out, record.key, record.version);
  out.Bytes(record.value);
}

void PutKeyVersion(Encoder& out, std::string_view key, const Version& version) {
  out.Bytes(key);
  PutVersion(out, version);
}

std::optional<Record> TakeRecord(Decoder& in) {
  std::optional<KeyVersion> head = TakeKeyVersion(in);
  if (!head.has_value()) return std::nullopt;
  const std::string_view value = in.Bytes();
  if (!in.ok() || value.size() > RecordGossip::kValueBytesMax) return std::nullopt;
  return Record{std::move(head->key), std::move(head->version), std::string(value)};
}

std::optional<std::vector<Record>> TakeRecords(Decoder& in) {
  return TakeMany<Record>(in, TakeRecord);
}

std::optional<std::vector<std::string>> TakeKeys(Decoder& in) {
  return TakeMany<std::string>(in, TakeKey);
}

std::optional<std::vector<BucketVersions>> TakeVersions(Decoder& in) {
  return TakeMany<BucketVersions>(in, TakeBucket);
}

}  // namespace engram::membership
