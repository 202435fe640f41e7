// One holder of one space: who is primary (failover.h), and how the logs of all holders become and
// stay one (docs/model, decisions 8, 10, 12 and 16).
//
//   primary    commits a write ─▶ Entries to each holder that is in step ─▶ Confirm: counted
//   holder     hears of a new epoch ─▶ is told its history ─▶ cuts off what that lacks, into its
//              outbox ─▶ in step: appends what comes, offers its outbox until it has come back
//
// What must be durable is said as a command to the store (log_port.h); what comes after a promise
// waits for it. A store that fails silences the machine: it neither leads nor promises from then
// on, and the others go on without it.
//
// Owned by its driver. Pure: reads the log through the port, which must outlive it; not
// thread-safe. After a restart it is made anew from what is stored.
#pragma once

#include <deque>
#include <map>
#include <random>
#include <set>
#include <variant>
#include <vector>

#include "engram/replication/failover.h"
#include "engram/replication/follower.h"
#include "engram/replication/log_port.h"
#include "engram/replication/replica_message.h"
#include "engram/replication/tombstone_sweep.h"

namespace engram::replication {

// Anti-entropy: how copies are compared (SPEC C9).
struct CompareOptions {
  ReadLimits piece{1'000, 256u << 10};
  Duration pace = std::chrono::milliseconds(50);  // between two pieces
  // Between two comparisons of a whole copy, of a space that nobody asks for, too; from half of it
  // to half as much again, at random, so that not all come at once.
  Duration period = std::chrono::hours(1);
};

struct ReplicaOptions {
  FailoverOptions failover;
  ShippingOptions shipping;
  CompareOptions compare;
  SweepOptions tombstones;
};

class Replica {
 public:
  struct Send {
    NodeId to;
    ReplicaMessage message;
  };
  // Commands, named as in LogPort.
  struct Bind {
    HolderState state;
  };
  struct TakeOffice {
    Epoch epoch;
  };
  struct Follow {
    Epoch epoch;
    EpochHistory history;
  };
  struct Append {
    Epoch epoch;
    Version previous;
    std::vector<Entry> entries;
  };
  struct Merge {
    NodeId from;  // of no matter to the store
    Epoch epoch;
    std::vector<Change> changes;
  };
  struct Collect {
    Epoch epoch;
    std::vector<Tombstone> tombstones;
  };
  struct Restart {
    Epoch epoch;
    LogBase base;
  };
  struct Install {
    Epoch epoch;
    CopyPiece piece;
  };
  struct Complete {
    Epoch epoch;
    bool settled;
  };
  using Command =
      std::variant<Bind, TakeOffice, Follow, Append, Merge, Collect, Restart, Install, Complete>;
  // To be given to the store in this order; what came of it, to OnDone, in any order.
  struct Run {
    uint64_t id;
    Command command;
  };
  using Output = std::variant<Send, Run>;

  // `log`: as stored; with no holders it is a space that this node is about to create, or is asked
  // to hold, among `proposed`. `log.incomplete`: it holds the space but has nothing of it.
  Replica(SpaceId space, NodeId self, const SpaceLog& log, const std::vector<NodeId>& proposed,
          const ReplicaOptions& options, const LogPort& port, std::mt19937_64& random,
          TimePoint now);

  // Makes the space, with this node as its first primary if a majority agrees. REQUIRES: the log is
  // empty and nothing else has been called.
  void Create(TimePoint now);

  void Step(const NodeId& from, const ReplicaMessage& message, TimePoint now);
  void Tick(TimePoint now);
  // When Tick is wanted next; may change with each call.
  TimePoint NextWake() const;
  // The store has carried out a command, or refused it. What the log is now is read from it.
  void OnDone(uint64_t id, const absl::Status& status, TimePoint now);
  // The store has committed writes of clients.
  void OnCommitted(TimePoint now);
  // The store takes no more writes. Nothing, if there is no other holder.
  void OnStoreFailed();
  // The port of `node` refused a connection.
  void OnPortRefused(const NodeId& node);

  // Gives the office to `to`, once that has the whole log. Writes are refused meanwhile. Nothing
  // happens unless this node is primary and `to` another holder that is in step.
  void HandOverTo(const NodeId& to, TimePoint now);

  // To be carried out in this order.
  std::vector<Output> TakeOutput();

  // Gives the command to the store.
  void GiveTo(LogPort& store, Command command, LogPort::Done done) const;

  const SpaceId& space() const { return space_; }
  // As last reported durable.
  const SpaceLog& log() const { return log_; }
  bool IsPrimary() const { return !failed_ && log_.holder.IsPrimary(self_); }
  const std::vector<NodeId>& holders() const { return failover_.holders(); }
  // Until when an answer of this primary may go without the flag (lease.h).
  TimePoint LeaseUntil() const { return IsPrimary() ? failover_.LeaseUntil() : TimePoint::min(); }
  // When this holder last had everything that its primary had; TimePoint::min() if never.
  TimePoint caught_up_at() const { return caught_up_at_; }
  // Up to where a majority of the holders, and all of them, have the log of this primary, durably;
  // the default where nothing counts (decision 6).
  Version HeldByMajority() const { return HeldBy(failover_.holders().size() / 2 + 1); }
  Version HeldByAll() const { return HeldBy(failover_.holders().size()); }
  // What need not be kept in the log: every later primary will have it.
  Version MayTrim() const { return IsPrimary() ? HeldByMajority() : primary_held_; }
  // At the primary: what is known of each other holder.
  const std::map<NodeId, Follower>& followers() const { return followers_; }
  // Of the entries that were sent, on average; 0 before the first.
  uint64_t bytes_per_entry() const { return sent_entries_ == 0 ? 0 : sent_bytes_ / sent_entries_; }
  bool failed() const { return failed_; }
  // Pieces of the copy that were compared with the primary's, and those of them that were not the
  // same though both had the same log: a fault, mended.
  uint64_t pieces_compared() const { return pieces_compared_; }
  uint64_t pieces_mended() const { return pieces_mended_; }

 private:
  // Goes through the copy, piece by piece: takes over the primary's, or compares.
  struct Sweep {
    bool compares = false;
    std::string after;
    TimePoint ask_at{};  // when the next piece is asked for, again perhaps
    bool installing = false;
    bool differed = false;  // what is being installed, though it should be the same
    bool taken = false;     // all of it, and the store is to say that the copy is complete
  };

  void On(const NodeId& from, const FailoverMessage& message, TimePoint now);
  void On(const NodeId& from, const Lineage& lineage, TimePoint now);
  void On(const NodeId& from, const Entries& entries, TimePoint now);
  void On(const NodeId& from, const Confirm& confirm, TimePoint now);
  void On(const NodeId& from, const Offer& offer, TimePoint now);
  void On(const NodeId& from, const Base& base, TimePoint now);
  void On(const NodeId& from, const Fetch& fetch, TimePoint now);
  void On(const NodeId& from, const Piece& piece, TimePoint now);
  void OnAnswer(const NodeId& from, const HeartbeatAnswer& answer, TimePoint now);

  void Done(const Bind& bind, bool ok, TimePoint now);
  void Done(const TakeOffice& office, bool ok, TimePoint now);
  void Done(const Follow& follow, bool ok, TimePoint now);
  void Done(const Append& append, bool ok, TimePoint now);
  void Done(const Merge& merge, bool ok, TimePoint now);
  void Done(const Collect& collect, bool ok, TimePoint now);
  void Done(const Restart& restart, bool ok, TimePoint now);
  void Done(const Install& install, bool ok, TimePoint now);
  void Done(const Complete& complete, bool ok, TimePoint now);

  // Whose log is shipped is told by the epoch, not by the office: who has promised the office away
  // still ships what was logged before.
  bool Leads() const { return log_.holder.epoch().primary == self_; }
  bool InStep() const { return !Leads() && in_step_with_ == log_.holder.epoch(); }
  Version HeldBy(size_t count) const;
  void ShipNews(TimePoint now);
  void ShipToAll(TimePoint now);
  void Ship(const NodeId& to, Follower& follower, TimePoint now);
  void SendBase(const NodeId& to, TimePoint now);
  void SweepTombstones(TimePoint now);
  TimePoint NextTombstoneSweep(TimePoint now);
  void OfferOutbox(TimePoint now);
  void SettleOutbox();
  void SettleOwnOutbox();
  // replica_copy.cc
  void GoOnSweeping(TimePoint now);
  void StartSweep(bool compares, TimePoint now);
  void AskForPiece(TimePoint now);
  void NextPiece(const std::string& after, TimePoint now);
  void DeclareComplete();
  void TryPieceLater(TimePoint now);
  bool MayCompare() const;
  void PlanComparison(TimePoint now);
  TimePoint NextSweep() const;
  void NoteCaughtUp();
  void GoOnHandingOver(TimePoint now);
  void SendConfirm(bool gap);
  void ReadLog();
  void TakeFailoverOutput();
  void SendTo(const NodeId& to, ReplicaMessage message);
  void RunCommand(Command command);
  void RunAgain(Command command);
  void FillIn(const NodeId& to, FailoverMessage& message);

  const SpaceId space_;
  const NodeId self_;
  const ReplicaOptions options_;
  const LogPort& port_;
  std::mt19937_64& random_;

  Failover failover_;
  SpaceLog log_;
  bool failed_ = false;

  std::deque<Output> queue_;
  std::map<uint64_t, Command> running_;
  uint64_t next_command_ = 1;
  std::optional<uint64_t> awaited_;  // what is in the queue waits for it

  // As primary.
  std::map<NodeId, Follower> followers_;
  std::set<NodeId> merging_;  // whose offer is under way to the store
  TombstoneSweep tombstones_;
  bool collecting_ = false;  // a piece of them is under way to the store
  TimePoint next_hand_over_ = kNever;
  uint64_t sent_entries_ = 0;
  uint64_t sent_bytes_ = 0;

  // As follower.
  Epoch in_step_with_;  // the log is a piece of its primary's
  bool following_ = false;
  Version expected_;  // the end of the log once what was given to the store is durable
  Version primary_last_;
  Version primary_held_;
  TimePoint primary_last_at_ = TimePoint::min();
  TimePoint caught_up_at_ = TimePoint::min();
  std::optional<Version> offered_;  // the last change of the newest offer
  TimePoint next_offer_ = TimePoint::min();
  bool restarting_ = false;
  bool settling_ = false;
  std::optional<Sweep> sweep_;
  TimePoint next_compare_;
  uint64_t pieces_compared_ = 0;
  uint64_t pieces_mended_ = 0;
};

}  // namespace engram::replication
