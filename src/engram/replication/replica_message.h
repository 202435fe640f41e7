// What the holders of a space send each other: about who is primary (failover_message.h), and the
// log itself. Each is about one space, which the driver adds. Any may be lost, late or double.
//
//   primary ── Lineage ──▶ holder    once it follows: what it has beyond is cut off into its outbox
//   holder ── Confirm ──▶ primary    the end of its log: shipping begins there
//   primary ── Entries ──▶ holder    what comes next; durable there, it is confirmed
//   holder ── Offer ──▶ primary      its outbox, again and again until it has come back as entries
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
};

// The head of the outbox of a holder that follows `epoch`.
struct Offer {
  Epoch epoch;
  std::vector<Change> changes;
};

using ReplicaMessage = std::variant<FailoverMessage, Lineage, Entries, Confirm, Offer>;

}  // namespace engram::replication
