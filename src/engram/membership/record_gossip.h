// Spreads versioned records, such as who holds which space, to all members (SPEC C3): the newest
// version of a key wins, whatever the source, so it never goes backwards.
//
//   news    rides on datagrams, what was sent least first; reaches everybody soon, nearly always
//   digest  every now and then, and when joining, two nodes compare and give each other what is
//           newer; finds whatever news has missed
//
// A comparison takes two calls, of which each message is bounded; what did not fit is told by
// `more`, and the two begin again at once:
//
//   asks                                    answers
//   Digest()          ── a hash of each bucket ──▶  Compare()
//   Settle()          ◀── versions in buckets that differ ──
//                     ── newer records, keys that are wanted ──▶  Complete()
//   Take()            ◀── the records that are wanted ──
//
// The hash of a bucket is the exclusive or of its records' hashes, kept up to date with each
// change; so comparing equal states costs one message and touches no record.
//
// Values are bytes of which this knows nothing. Owned by its driver. Pure; not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/base/version.h"
#include "engram/membership/broadcast_queue.h"
#include "engram/membership/rider.h"

namespace engram::membership {

struct Record {
  std::string key;
  Version version;
  std::string value;

  friend bool operator==(const Record&, const Record&) = default;
};

struct BucketVersions;  // record_codec.h

struct RecordGossipOptions {
  int retransmit_multiplier = 3;
  // Of a message of a comparison. Far below what an RPC carries, so that none holds up a
  // connection.
  size_t message_bytes_max = 1 << 20;
  // If a comparison brings no more than that, it is news for others too, such as after a split; if
  // it brings more, this node is behind, and others have comparisons of their own.
  size_t news_max = 100;
};

class RecordGossip : public Rider {
 public:
  static constexpr size_t kBuckets = 1'024;
  static constexpr size_t kKeyBytesMax = 128;
  static constexpr size_t kValueBytesMax = 1'000;  // so that each fits into a datagram

  explicit RecordGossip(const RecordGossipOptions& options = {}) : options_(options) {}

  // This node's own change. False if something as new is known already. REQUIRES: key and value are
  // within their bounds.
  bool Put(const Record& record);
  // Null if there is none.
  const Record* Find(std::string_view key) const;
  size_t size() const { return size_; }
  // What others sent that was newer than what was known, for the driver to apply as one batch.
  std::vector<Record> TakeLearnt();

  // News. Appends what fits into `size_max`; `members` are live.
  void Fill(std::string& datagram, size_t size_max, size_t members) override;
  bool HasNews() const override { return !queue_.empty(); }
  // What Fill() appended, at another node. InvalidArgument if it is damaged; what stands before the
  // damage is taken.
  [[nodiscard]] absl::Status Hear(std::string_view news) override;

  // The four steps of a comparison, after which there may be news. InvalidArgument if a message
  // cannot be read; nothing of it is taken then.
  std::string Digest() const;
  [[nodiscard]] absl::StatusOr<std::string> Compare(std::string_view digest) const;
  struct Settlement {
    std::string message;
    bool more = false;   // not everything fitted: begin again with a digest
    bool equal = false;  // there is nothing to send
  };
  [[nodiscard]] absl::StatusOr<Settlement> Settle(std::string_view versions) const;
  [[nodiscard]] absl::StatusOr<std::string> Complete(std::string_view settlement);
  [[nodiscard]] absl::Status Take(std::string_view records);

 private:
  struct Bucket {
    std::map<std::string, Record, std::less<>> records;
    uint64_t hash = 0;
  };

  enum class Source : uint8_t { kOwn, kNews, kComparison };
  bool Adopt(const Record& record, Source source);
  void AdoptCompared(const std::vector<Record>& records);
  const Bucket& BucketOf(std::string_view key) const;
  std::vector<const Record*> NewerThan(const BucketVersions& theirs) const;

  const RecordGossipOptions options_;
  std::vector<Bucket> buckets_{kBuckets};
  size_t size_ = 0;
  BroadcastQueue queue_;
  std::vector<Record> learnt_;
};

}  // namespace engram::membership
