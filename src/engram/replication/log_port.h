// What replication needs of the store: to change the log of a space durably, and to read what it
// ships. What an entry says is the store's own matter; here it is bytes.
//
// Changes are queued with the writes of clients and carried out in their order, each in one batch;
// that order decides whether a write came before a promise. `done` runs on the store's thread once
// the batch is durable, with the log as it is then, and must not block. A command that the log
// refuses (fenced, a gap) changes nothing and says so by its error, kWrongNode. After an error of
// the disk (kStorageFailed, kUndetermined) the store takes no more commands. What FindLog says is
// at least as new as what `done` was told.
//
// Thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/replication/space_log.h"

namespace engram::replication {

// One entry of the main log.
struct Entry {
  Version position;
  std::string bytes;
  friend bool operator==(const Entry&, const Entry&) = default;
};

// One change of an outbox. `previous`: the sequence that the sender's log or outbox has before it
// in the stream of its origin; whoever lacks that must not take this one, or what is between would
// count as there.
struct Change {
  Version origin;
  uint64_t previous = 0;
  std::string bytes;
  friend bool operator==(const Change&, const Change&) = default;
};

// What is left of something that was deleted, so that nothing old of it comes back. `name` is the
// store's own matter; with the origin of the deletion it says which one is meant.
struct Tombstone {
  std::string name;
  Version origin;
  friend bool operator==(const Tombstone&, const Tombstone&) = default;
};

// Tombstones of a copy that may go, after one name and up to another; "" as `until` is the end.
struct Tombstones {
  std::string until;
  std::vector<Tombstone> items;
};

// A log without its entries, from which another holder may go on: what is in it is to be taken over
// as pieces of the copy (docs/model, decision 17).
struct LogBase {
  EpochHistory history;
  VersionVector logged;
  std::vector<NodeId> holders;
  Version assignment;
  std::string totals;  // what the store must know beside
};

// All of a copy that stands after one key and up to another. Keys are the store's own matter; "" as
// `after` is the beginning, as `until` the end.
struct CopyPiece {
  std::string after;
  std::string until;
  VersionVector logged;  // at most what the items show: an element missing here was replaced
  std::vector<std::string> items;
};

struct ReadLimits {
  size_t entries_max = 100;
  size_t bytes_max = 256u << 10;  // at least one entry is read
};

class LogPort {
 public:
  virtual ~LogPort() = default;

  using Done = absl::AnyInvocable<void(absl::StatusOr<SpaceLog>)>;

  // What the holder has bound itself to. `holders`: used if nothing is known of the space here;
  // where that is not the first promise, what was before was missed, and the copy is incomplete.
  virtual void Bind(const SpaceId& space, const HolderState& state,
                    const std::vector<NodeId>& holders, Done done) = 0;

  // This node is primary of `epoch`: binds, appends the assignment as the epoch's first entry, then
  // the outbox, each change with its origin. One batch.
  virtual void TakeOffice(const SpaceId& space, const Epoch& epoch, Done done) = 0;

  // Follows the primary of `epoch`, whose log is `history`: what is beyond what both have moves
  // from the log to the outbox. One batch. Refused if the holder is bound to something newer. Where
  // the log does not reach back that far, all of it goes, and the copy is incomplete.
  virtual void Follow(const SpaceId& space, const Epoch& epoch, const EpochHistory& history,
                      Done done) = 0;

  // Entries of the primary of `epoch`, which come right after `previous`. Refused if fenced, or if
  // `previous` is not the end of the log.
  virtual void Append(const SpaceId& space, const Epoch& epoch, const Version& previous,
                      std::vector<Entry> entries, Done done) = 0;

  // At the primary of `epoch`: what another holder's outbox has is appended with its origin, what
  // the log has already is skipped, what would leave a gap is left. Refused if not primary of it.
  virtual void Merge(const SpaceId& space, const Epoch& epoch, std::vector<Change> changes,
                     Done done) = 0;

  // At the primary of `epoch`: all holders drop these. One entry, of those that are still there;
  // none if there are none. Refused if not primary of it.
  virtual void Collect(const SpaceId& space, const Epoch& epoch, std::vector<Tombstone> tombstones,
                       Done done) = 0;

  // The log goes on after that of the primary of `epoch`, and its own entries go; the outbox stays,
  // with what the new log covers, too. The copy is incomplete from now on. Refused if fenced.
  virtual void Restart(const SpaceId& space, const Epoch& epoch, LogBase base, Done done) = 0;

  // A piece of the copy of the primary of `epoch` takes the place of the own one; what stands in
  // the outbox keeps its effect. Refused if fenced.
  virtual void Install(const SpaceId& space, const Epoch& epoch, CopyPiece piece, Done done) = 0;

  // All pieces were installed since the log was restarted. Or, `settled`, of a complete copy: every
  // later primary will have what it was restarted from; what the log covers leaves the outbox.
  // Refused if fenced.
  virtual void Complete(const SpaceId& space, const Epoch& epoch, bool settled, Done done) = 0;

  // Everything up to there may be trimmed: every later primary will have it.
  virtual void MayTrim(const SpaceId& space, const Version& position) = 0;

  // --- reading; in place, on any thread

  virtual std::optional<SpaceLog> FindLog(const SpaceId& space) const = 0;
  // Of every space that something is known of here, by name.
  virtual std::vector<SpaceId> ListLogs() const = 0;
  // The entries after `after`, a position of the log or the default (from the beginning). kNotFound
  // if those are trimmed.
  virtual absl::StatusOr<std::vector<Entry>> ReadLog(const SpaceId& space, const Version& after,
                                                     const ReadLimits& limits) const = 0;
  virtual absl::StatusOr<LogBase> ReadBase(const SpaceId& space) const = 0;
  // The piece after `after`, up to `until` or to the limits. What a copy has beside memories, which
  // are what copies are compared by, is left out with kMemories.
  enum class Part : uint8_t { kAll, kMemories };
  virtual absl::StatusOr<CopyPiece> ReadPiece(const SpaceId& space, const std::string& after,
                                              const std::string& until, Part part,
                                              const ReadLimits& limits) const = 0;
  // Of the tombstones after `after`, those of which all that they stand against, and they
  // themselves, are `confirmed`. The limits are of what is looked at.
  virtual absl::StatusOr<Tombstones> ReadTombstones(const SpaceId& space, const std::string& after,
                                                    const VersionVector& confirmed,
                                                    const ReadLimits& limits) const = 0;
  // The first changes of the outbox, oldest first.
  virtual absl::StatusOr<std::vector<Change>> ReadOutbox(const SpaceId& space,
                                                         const ReadLimits& limits) const = 0;
};

}  // namespace engram::replication
