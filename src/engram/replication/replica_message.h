// What the holders of a space send each other: about who is primary (failover_message.h), and the
// log itself. Each is about one space, which the driver adds. Any may be lost, late or double.
//
//   primary ── Lineage ──▶ holder    once it follows: what it has beyond is cut off into its outbox
//   holder ── Confirm ──▶ primary    the end of its log: shipping begins there
//   primary ── Entries ──▶ holder    what comes next; durable there, it is confirmed
//   holder ── Offer ──▶ primary      its outbox, again and again until it has come back as entries
//
// Where the log does not reach back to what a holder has, or a holder has nothing:
//   primary ── Base ──▶ holder       where the log goes on; the copy is incomplete
//   holder ── Fetch ──▶ primary      the next piece of the copy, from the first to the last
//   primary ── Piece ──▶ holder
// The same compares copies: a Fetch that says what the holder has is answered by a Piece without
// content where that is what the primary has.
#pragma once

#include <variant>
#include <vector>

#include "engram/replication/epoch_history.h"
#include "engram/replication/failover_message.h"
#include "engram/replication/log_port.h"

namespace engram::replication {

// The history of the primary of `epoch`.
struct Lineage {
  Epoch epoch;
  EpochHistory history;
};

// Entries of the primary of `epoch`, right after `previous`.
struct Entries {
  Epoch epoch;
  Version previous;
  std::vector<Entry> entries;
};

// The log of a holder that follows `epoch`, and is in step, ends at `position`, durably. `gap`:
// what it was sent does not come next.
struct Confirm {
  Epoch epoch;
  Version position;
  bool gap = false;
  bool incomplete = false;  // what the log says is not all there yet
};

// The head of the outbox of a holder that follows `epoch`.
struct Offer {
  Epoch epoch;
  std::vector<Change> changes;
};

// The log of the primary of `epoch`, without its entries.
struct Base {
  Epoch epoch;
  LogBase log;
};

// To the primary of `epoch`, from a holder whose log ends at `position`.
struct Fetch {
  Epoch epoch;
  Version position;
  std::string after;
  std::string until;   // as far as the digest goes
  std::string digest;  // DigestOf the holder's own piece; "": send it whatever it is
};

// From the primary of `epoch`, whose log ended at `position` before the piece was read. `equal`:
// the holder's own piece is the same; without items.
struct Piece {
  Epoch epoch;
  Version position;
  bool equal = false;
  CopyPiece content;
};

// Equal for equal items; 16 bytes (XXH3).
std::string DigestOf(const CopyPiece& piece);

using ReplicaMessage =
    std::variant<FailoverMessage, Lineage, Entries, Confirm, Offer, Base, Fetch, Piece>;

// What a message tells a node that knows nothing of its space: who holds it, in the ring's order;
// nobody if it does not say. `is_new`: it is being made. Else the hearer was away when it was made,
// or has lost its disk, and its copy is incomplete.
struct Proposal {
  std::vector<NodeId> holders;
  bool is_new = false;
};
Proposal ProposedBy(const ReplicaMessage& message);

}  // namespace engram::replication
