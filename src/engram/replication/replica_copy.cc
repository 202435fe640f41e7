// The part of Replica that takes over, and compares, the copy of a space: a holder goes through it
// piece by piece, beside the log, which goes on meanwhile. A piece that is newer than the log is
// sound: an entry that it has the effect of already changes nothing. An older one is not, and asked
// for again.
#include <xxhash.h>

#include <utility>

#include "engram/base/codec.h"
#include "engram/replication/replica.h"

namespace engram::replication {
namespace {

using Part = LogPort::Part;

}  // namespace

std::string DigestOf(const CopyPiece& piece) {
  std::string hashes;
  for (const std::string& item : piece.items) {
    AppendBigEndian64(hashes, XXH3_64bits(item.data(), item.size()));
  }
  const XXH128_hash_t hash = XXH3_128bits(hashes.data(), hashes.size());
  std::string digest;
  AppendBigEndian64(digest, hash.high64);
  AppendBigEndian64(digest, hash.low64);
  return digest;
}

Proposal ProposedBy(const ReplicaMessage& message) {
  const auto* said = std::get_if<FailoverMessage>(&message);
  if (said == nullptr) return {};
  if (const auto* ask = std::get_if<AskPromise>(said)) return {ask->holders, ask->counter == 1};
  if (const auto* canvass = std::get_if<Canvass>(said)) return {canvass->holders, false};
  if (const auto* heartbeat = std::get_if<Heartbeat>(said)) return {heartbeat->holders, false};
  return {};
}

// --- primary

void Replica::On(const NodeId& from, const Fetch& fetch, TimePoint now) {
  if (fetch.epoch != log_.holder.epoch() || !failover_.MayGiveCopies(now)) return;
  const Part part = fetch.digest.empty() ? Part::kAll : Part::kMemories;
  // Of the store, which may have shipped more than is known here. What is read is not older.
  const Version position = port_.FindLog(space_).value_or(log_).last();
  auto piece = port_.ReadPiece(space_, fetch.after, fetch.until, part, options_.compare.piece);
  if (!piece.ok()) return;
  const bool equal =
      !fetch.digest.empty() && piece->until == fetch.until && DigestOf(*piece) == fetch.digest;
  if (equal) piece->items.clear();
  SendTo(from, Piece{fetch.epoch, position, equal, *std::move(piece)});
}

// --- follower

void Replica::On(const NodeId& from, const Base& base, TimePoint now) {
  if (!failover_.Hears(from, base.epoch, now) || in_step_with_ != base.epoch) return;
  if (restarting_ || base.log.history.last() <= expected_) return;
  restarting_ = true;
  sweep_.reset();  // what was taken over so far is of another base
  RunCommand(Restart{base.epoch, base.log});
}

void Replica::On(const NodeId& from, const Piece& piece, TimePoint now) {
  if (!failover_.Hears(from, piece.epoch, now) || in_step_with_ != piece.epoch) return;
  if (restarting_ || !sweep_ || sweep_->installing) return;
  if (piece.content.after != sweep_->after) return;
  // Entries have overtaken it, whose effects it would take away. It is asked for again.
  if (piece.position < expected_) return;
  if (sweep_->compares) ++pieces_compared_;
  if (piece.equal) return NextPiece(piece.content.until, now);
  sweep_->installing = true;
  sweep_->differed = sweep_->compares && piece.position == log_.last();
  RunCommand(Install{piece.epoch, piece.content});
}

void Replica::Done(const Restart& restart, bool ok, TimePoint now) {
  restarting_ = false;
  if (restart.epoch != in_step_with_) return;
  if (!ok) return GoOnSweeping(now);
  sweep_.reset();
  expected_ = log_.last();
  SendConfirm(false);
  GoOnSweeping(now);
}

void Replica::Done(const Install& install, bool ok, TimePoint now) {
  if (!sweep_ || !sweep_->installing || install.piece.after != sweep_->after) return;
  if (!ok) return TryPieceLater(now);
  pieces_mended_ += sweep_->differed ? 1 : 0;
  NextPiece(install.piece.until, now);
}

void Replica::Done(const Complete& complete, bool ok, TimePoint now) {
  if (complete.settled) {
    settling_ = false;
    return;
  }
  if (!sweep_ || !sweep_->taken || complete.epoch != in_step_with_) return;
  if (!ok) return TryPieceLater(now);
  sweep_.reset();
  NoteCaughtUp();
  SendConfirm(false);
  OfferOutbox(now);
}

void Replica::NextPiece(const std::string& after, TimePoint now) {
  sweep_->installing = sweep_->differed = false;
  sweep_->after = after;
  if (!after.empty()) {
    sweep_->ask_at = sweep_->compares ? now + options_.compare.pace : now;
    return GoOnSweeping(now);
  }
  if (sweep_->compares) return sweep_.reset();
  sweep_->taken = true;
  DeclareComplete();
}

void Replica::DeclareComplete() {
  sweep_->installing = true;
  RunCommand(Complete{in_step_with_, false});
}

// The store had no room for it.
void Replica::TryPieceLater(TimePoint now) {
  sweep_->installing = sweep_->differed = false;
  sweep_->ask_at = now + options_.shipping.resend;
}

// What a Base brought has never come as an entry, and so has not left the outbox; nor has what came
// after it. It may when the log that it came with cannot be lost with its primary (docs/model,
// decision 12).
void Replica::SettleOutbox() {
  if (settling_ || restarting_ || log_.incomplete || !InStep()) return;
  if (primary_held_ < (log_.base != Version() ? log_.base : log_.last())) return;
  settling_ = true;
  RunCommand(Complete{in_step_with_, true});
}

// Of a primary whose log was restarted before it took office. What a majority has of its epoch
// comes after all of that.
void Replica::SettleOwnOutbox() {
  if (settling_ || log_.base == Version()) return;
  if (HeldByMajority() == Version()) return;
  settling_ = true;
  RunCommand(Complete{log_.holder.epoch(), true});
}

// An incomplete copy is not compared but taken over; without a log, there is a Base first.
void Replica::GoOnSweeping(TimePoint now) {
  if (!InStep() || restarting_) return;
  if (!sweep_ && log_.incomplete && log_.last() != Version()) {
    StartSweep(false, now);
  } else if (!sweep_ && MayCompare() && now >= next_compare_) {
    PlanComparison(now);
    StartSweep(true, now);
  }
  if (!sweep_ || sweep_->installing || now < sweep_->ask_at) return;
  if (sweep_->taken) return DeclareComplete();
  AskForPiece(now);
}

// A branch makes a copy another one, until it has been merged.
bool Replica::MayCompare() const {
  return InStep() && !log_.incomplete && log_.outbox_entries == 0 && log_.last() != Version();
}

void Replica::PlanComparison(TimePoint now) {
  const Duration period = options_.compare.period;
  std::uniform_int_distribution<Duration::rep> extra(0, period.count());
  next_compare_ = now + period / 2 + Duration(extra(random_));
}

void Replica::StartSweep(bool compares, TimePoint now) {
  sweep_ = Sweep{compares, "", now, false, false, false};
}

void Replica::AskForPiece(TimePoint now) {
  sweep_->ask_at = now + options_.shipping.resend;
  Fetch fetch{in_step_with_, log_.last(), sweep_->after, "", ""};
  if (sweep_->compares) {
    auto own = port_.ReadPiece(space_, sweep_->after, "", Part::kMemories, options_.compare.piece);
    if (!own.ok()) return;
    fetch.until = own->until;
    fetch.digest = DigestOf(*own);
  }
  SendTo(in_step_with_.primary, std::move(fetch));
}

TimePoint Replica::NextSweep() const {
  if (sweep_) return sweep_->installing ? kNever : sweep_->ask_at;
  return MayCompare() ? next_compare_ : kNever;
}

}  // namespace engram::replication
