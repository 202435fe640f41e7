// The bytes of RecordGossip's messages. Each begins with a version byte, 1; numbers are varints,
// texts a length and bytes (base/codec.h).
//
//   record      key, version, value
//   version     epoch's counter, epoch's primary, sequence
//   news        records until the end
//   digest      1, one 8-byte hash for each bucket
//   versions    1, more (0 or 1), buckets: their count, then of each its number, the count of its
//               records, and of each record key and version
//   settlement  1, records: count, records; wanted: count, keys
//   records     1, count, records
//
// Everything here is pure and thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engram/base/codec.h"
#include "engram/membership/record_store.h"

namespace engram::membership {

inline constexpr uint8_t kRecordFormat = 1;

struct KeyVersion {
  std::string key;
  Version version;
};
struct BucketVersions {
  size_t bucket = 0;
  std::vector<KeyVersion> keys;
};

void PutRecord(Encoder& out, const Record& record);
void PutKeyVersion(Encoder& out, std::string_view key, const Version& version);

// Each gives nullopt for what is damaged or out of its bounds.
std::optional<Record> TakeRecord(Decoder& in);
std::optional<std::vector<Record>> TakeRecords(Decoder& in);  // with their count
std::optional<std::vector<std::string>> TakeKeys(Decoder& in);
std::optional<std::vector<BucketVersions>> TakeVersions(Decoder& in);

}  // namespace engram::membership
