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
// The hashes are the store's digest (base/version_digest.h): comparing equal states costs one
// message and touches no record. If the store is changed meanwhile, by others too, the next
// comparison finds what this one has missed.
//
// The records are in a store that belongs to somebody else (record_store.h); here are only the
// news on its way and the counters.
//
// Values are bytes of which this knows nothing. Owned by its driver. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/base/version_digest.h"
#include "engram/membership/broadcast_queue.h"
#include "engram/membership/record_store.h"
#include "engram/membership/rider.h"

namespace engram::membership {

struct RecordGossipOptions {
  int retransmit_multiplier = 3;
  // Of a message of a comparison. Far below what an RPC carries, so that none holds up a
  // connection. The versions in one bucket have to fit, which 1 MB does up to some 20,000,000
  // records.
  size_t message_bytes_max = 1 << 20;
  // If a comparison brings no more than that, it is news for others too, such as after a split; if
  // it brings more, this node is behind, and others have comparisons of their own.
  size_t news_max = 100;
};

class RecordGossip : public Rider {
 public:
  static constexpr size_t kBuckets = VersionDigest::kBuckets;
  static constexpr size_t kKeyBytesMax = 128;
  static constexpr size_t kValueBytesMax = 1'000;  // so that each fits into a datagram

  // `store` must outlive it.
  explicit RecordGossip(RecordStore& store, const RecordGossipOptions& options = {})
      : options_(options), store_(store) {}

  // This node's own change: into the store, and news. False if something as new is known already.
  // REQUIRES: key and value are within their bounds.
  bool Put(const Record& record);
  // This node's own change that is in the store already: news. False if it is not there.
  bool Announce(std::string_view key);
  // What others sent that was newer than what was known, in the order in which it was taken over:
  // what the driver has to write to disk. It is in the store already. To be taken after every
  // Hear(), Complete() and Take(), of which each adds what one message can hold.
  std::vector<Record> TakeLearnt();

  struct Counters {
    uint64_t heard = 0;     // records that came, in news and in comparisons
    uint64_t learnt = 0;    // of them: newer than what was known
    uint64_t compared = 0;  // of those: by a comparison
  };
  const Counters& counters() const { return counters_; }

  // News. Appends what fits into `size_max`; `members` are live.
  void Fill(std::string& datagram, size_t size_max, size_t members) override;
  bool HasNews() const override { return !queue_.empty(); }
  // What Fill() appended, at another node. InvalidArgument if it is damaged; what stands before the
  // damage is taken.
  [[nodiscard]] absl::Status Hear(std::string_view news) override;

  // The four steps of a comparison, after which there may be news. InvalidArgument if a message
  // cannot be read; nothing of it is taken then. Each looks at the store's buckets that differ
  // once.
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
  enum class Source : uint8_t { kOwn, kNews, kComparison };
  size_t Adopt(std::span<const Record> records, Source source);
  void AdoptCompared(const std::vector<Record>& records);

  const RecordGossipOptions options_;
  RecordStore& store_;
  BroadcastQueue queue_;
  std::vector<Record> learnt_;
  Counters counters_;
};

}  // namespace engram::membership
