// The log of one space as a model: LogPort said as plainly as it can be, on vectors. Commands wait
// until Commit() makes the oldest durable; a crash forgets those that wait. What a change says is a
// text; a memory is one, and a copy is the set of all texts that stood in the log or stand in the
// outbox. A text that begins with 't' is a tombstone; that it is collected is a text of its own,
// "c" before it, so that nothing is ever taken out and a test sees all that happened.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engram/base/error.h"
#include "engram/replication/log_port.h"

namespace engram::replication {

class MapLog final : public LogPort {
 public:
  MapLog(NodeId self, std::vector<NodeId> holders)
      : self_(std::move(self)), ring_(std::move(holders)) {}

  // --- for the harness

  bool HasWork() const { return !waiting_.empty(); }
  // Carries out the oldest command; its `done` runs.
  void Commit() {
    Command command = std::move(waiting_.front());
    waiting_.pop_front();
    const absl::Status status = command.work();
    command.done(status.ok() ? absl::StatusOr<SpaceLog>(log_) : status);
  }
  void Crash() { waiting_.clear(); }
  void LoseDisk() { *this = MapLog(self_, ring_); }

  // A client's write: at the primary into the log, elsewhere into the branch if `branch`. Durable
  // at once. Its origin, or nothing if it is refused.
  std::optional<Version> Write(const std::string& text, bool branch) {
    if (log_.holder.IsPrimary(self_)) {
      const Version position = log_.NextPosition();
      const Record record{position, position, log_.logged.SequenceOf(position.epoch), text};
      AppendToLog(record);
      if (log_.base != Version()) AddToOutbox(record);
      return position;
    }
    if (!branch || log_.holder.epoch() == Epoch() || log_.incomplete) return std::nullopt;
    const Version origin = log_.NextOfBranch(self_);
    AddToOutbox({{}, origin, log_.Seen().SequenceOf(origin.epoch), text});
    return origin;
  }
  // The texts of all changes that stand here, assignments left out.
  std::multiset<std::string> Store() const {
    std::multiset<std::string> store;
    for (const auto& [text, record] : memories_) store.insert(text);
    for (const Record& record : outbox_) {
      if (!memories_.contains(record.text)) store.insert(record.text);
    }
    return store;
  }
  // Whether it has the change itself, and can give it to others, whatever becomes of its log.
  bool HasChange(const std::string& text) const {
    auto is = [&](const Record& record) { return record.text == text; };
    return std::any_of(entries_.begin(), entries_.end(), is) ||
           std::any_of(outbox_.begin(), outbox_.end(), is);
  }
  size_t entries() const { return entries_.size(); }
  // A memory is gone from the copy, without a change.
  void Damage(const std::string& text) { memories_.erase(text); }
  // So many entries are kept, and more while they may not be trimmed.
  size_t kept = SIZE_MAX;
  const SpaceLog& log() const { return log_; }

  // --- LogPort

  void Bind(const SpaceId&, const HolderState& state, const std::vector<NodeId>& holders,
            Done done) override {
    Queue(
        [this, state, holders] {
          log_.holder = state;
          if (log_.holders.empty()) {
            log_.holders = holders;
            log_.incomplete = state.epoch().counter > 0 || state.promised() > 1;
            log_.forgetful = log_.incomplete;
          }
          return absl::OkStatus();
        },
        std::move(done));
  }

  void TakeOffice(const SpaceId&, const Epoch& epoch, Done done) override {
    Queue(
        [this, epoch] {
          HolderState& holder = log_.holder;
          if (epoch.primary != self_ || epoch.counter != holder.promised() ||
              !holder.MayTakeOffice(epoch.counter, holder.promised_to())) {
            return Refused("bound to something newer");
          }
          holder.TakeOffice(self_);
          if (log_.holders.empty()) log_.holders = ring_;
          AppendToLog({log_.NextPosition(), log_.NextPosition(), 0, ""});
          log_.assignment = log_.last();
          for (Record record : std::vector<Record>(outbox_)) {
            if (log_.logged.Covers(record.origin)) continue;
            record.position = log_.NextPosition();
            AppendToLog(record);
          }
          if (log_.base == Version()) outbox_.clear();
          CountOutbox();
          return absl::OkStatus();
        },
        std::move(done));
  }

  void Follow(const SpaceId&, const Epoch& epoch, const EpochHistory& history, Done done) override {
    Queue(
        [this, epoch, history] {
          if (!log_.holder.Accepts(epoch)) return Refused("fenced");
          log_.holder.Follow(epoch);
          CutAfter(log_.history.CommonWith(history));
          return absl::OkStatus();
        },
        std::move(done));
  }

  void Append(const SpaceId&, const Epoch& epoch, const Version& previous,
              std::vector<Entry> entries, Done done) override {
    Queue(
        [this, epoch, previous, entries = std::move(entries)] {
          if (!log_.holder.Accepts(epoch)) return Refused("fenced");
          if (previous != log_.last()) return Refused("a gap");
          for (const Entry& entry : entries) {
            Record record = Decode(entry.bytes);
            record.position = entry.position;
            AppendToLog(record);
          }
          return absl::OkStatus();
        },
        std::move(done));
  }

  void Merge(const SpaceId&, const Epoch& epoch, std::vector<Change> changes, Done done) override {
    Queue(
        [this, epoch, changes = std::move(changes)] {
          if (!log_.holder.IsPrimary(self_) || log_.holder.epoch() != epoch) {
            return Refused("not primary");
          }
          for (const Change& change : changes) {
            const uint64_t has = log_.logged.SequenceOf(change.origin.epoch);
            if (has >= change.origin.sequence || has < change.previous) continue;
            Record record = Decode(change.bytes);
            record.previous = has;
            record.position = log_.NextPosition();
            AppendToLog(record);
          }
          return absl::OkStatus();
        },
        std::move(done));
  }

  void Collect(const SpaceId&, const Epoch& epoch, std::vector<Tombstone> tombstones,
               Done done) override {
    Queue(
        [this, epoch, tombstones = std::move(tombstones)] {
          if (!log_.holder.IsPrimary(self_) || log_.holder.epoch() != epoch) {
            return Refused("not primary");
          }
          for (const Tombstone& tombstone : tombstones) {
            const Version position = log_.NextPosition();
            AppendToLog(
                {position, position, log_.logged.SequenceOf(position.epoch), "c" + tombstone.name});
          }
          return absl::OkStatus();
        },
        std::move(done));
  }

  void Restart(const SpaceId&, const Epoch& epoch, LogBase base, Done done) override {
    Queue(
        [this, epoch, base = std::move(base)] {
          if (!Follows(epoch)) return Refused("fenced");
          log_.BecomeIncomplete();
          log_.history = base.history;
          log_.logged = base.logged;
          log_.base = base.history.last();
          log_.holders = base.holders;
          log_.assignment = base.assignment;
          entries_.clear();
          return absl::OkStatus();
        },
        std::move(done));
  }

  void Install(const SpaceId&, const Epoch& epoch, CopyPiece piece, Done done) override {
    Queue(
        [this, epoch, piece = std::move(piece)] {
          if (!Follows(epoch)) return Refused("fenced");
          std::erase_if(memories_, [&](const auto& memory) {
            const auto& [text, record] = memory;
            if (text <= piece.after || (!piece.until.empty() && text > piece.until)) return false;
            return piece.logged.Covers(record.origin) || !log_.logged.Covers(record.origin);
          });
          for (const std::string& item : piece.items) {
            const Record record = Decode(item);
            memories_.insert_or_assign(record.text, record);
          }
          return absl::OkStatus();
        },
        std::move(done));
  }

  void Complete(const SpaceId&, const Epoch& epoch, bool settled, Done done) override {
    Queue(
        [this, epoch, settled] {
          if (!Follows(epoch)) return Refused("fenced");
          if (settled && log_.incomplete) return Refused("incomplete");
          if (!settled) log_.BecomeComplete();
          if (settled) {
            log_.base = {};
            std::erase_if(outbox_, [&](const Record& r) { return log_.logged.Covers(r.origin); });
            CountOutbox();
          }
          return absl::OkStatus();
        },
        std::move(done));
  }

  void MayTrim(const SpaceId&, const Version& position) override {
    if (!log_.history.Contains(position)) return;
    while (entries_.size() > kept && entries_.front().position <= position) {
      entries_.erase(entries_.begin());
    }
  }

  std::optional<SpaceLog> FindLog(const SpaceId&) const override {
    if (log_ == SpaceLog()) return std::nullopt;
    return log_;
  }
  std::vector<SpaceId> ListLogs() const override { return {}; }

  absl::StatusOr<std::vector<Entry>> ReadLog(const SpaceId&, const Version& after,
                                             const ReadLimits& limits) const override {
    EpochHistory history = log_.history;
    history.CutAfter(log_.history.Contains(after) ? after : Version());
    if (CountAfter(history.last()) != EntriesAfter(history.last())) {
      return MakeError(ErrorCode::kNotFound, "trimmed");
    }
    std::vector<Entry> read;
    for (const Record& record : entries_) {
      if (record.position <= after || read.size() == limits.entries_max) continue;
      read.push_back({record.position, Encode(record)});
    }
    return read;
  }

  absl::StatusOr<LogBase> ReadBase(const SpaceId&) const override {
    return LogBase{log_.history, log_.logged, log_.holders, log_.assignment, ""};
  }

  absl::StatusOr<CopyPiece> ReadPiece(const SpaceId&, const std::string& after,
                                      const std::string& until, Part,
                                      const ReadLimits& limits) const override {
    CopyPiece piece{after, until, log_.logged, {}};
    for (auto at = memories_.upper_bound(after); at != memories_.end(); ++at) {
      if (!until.empty() && at->first > until) break;
      if (piece.items.size() == limits.entries_max) {
        piece.until = Decode(piece.items.back()).text;
        break;
      }
      piece.items.push_back(Encode(at->second));
    }
    return piece;
  }

  absl::StatusOr<Tombstones> ReadTombstones(const SpaceId&, const std::string& after,
                                            const VersionVector& confirmed,
                                            const ReadLimits& limits) const override {
    Tombstones found;
    size_t seen = 0;
    for (auto at = memories_.upper_bound(std::max<std::string>(after, "t")); at != memories_.end();
         ++at) {
      const auto& [text, record] = *at;
      if (text[0] != 't') break;
      if (memories_.contains("c" + text)) continue;
      if (seen++ == limits.entries_max) return found;
      found.until = text;
      if (confirmed.Covers(record.origin)) found.items.push_back({text, record.origin});
    }
    found.until.clear();
    return found;
  }

  absl::StatusOr<std::vector<Change>> ReadOutbox(const SpaceId&,
                                                 const ReadLimits& limits) const override {
    std::vector<Change> read;
    VersionVector seen = log_.logged;
    for (const Record& record : outbox_) {
      if (read.size() == limits.entries_max) break;
      if (seen.Covers(record.origin)) continue;
      read.push_back({record.origin, seen.SequenceOf(record.origin.epoch), Encode(record)});
      seen.Add(record.origin);
    }
    return read;
  }

 private:
  struct Record {
    Version position;
    Version origin;
    uint64_t previous = 0;  // of the stream of its origin, in the log when it was appended
    std::string text;       // empty: an assignment
  };
  struct Command {
    std::function<absl::Status()> work;
    Done done;
  };

  static absl::Status Refused(const char* why) { return MakeError(ErrorCode::kWrongNode, why); }

  static std::string Encode(const Record& record) {
    return absl::StrCat(record.origin.epoch.counter, "/", record.origin.epoch.primary.value(), "/",
                        record.origin.sequence, "/", record.previous, "/", record.text);
  }
  static Record Decode(const std::string& bytes) {
    const std::vector<std::string> parts = absl::StrSplit(bytes, '/');
    Record record;
    EXPECT_TRUE(absl::SimpleAtoi(parts[0], &record.origin.epoch.counter));
    record.origin.epoch.primary = NodeId(parts[1]);
    EXPECT_TRUE(absl::SimpleAtoi(parts[2], &record.origin.sequence));
    EXPECT_TRUE(absl::SimpleAtoi(parts[3], &record.previous));
    record.text = parts[4];
    return record;
  }

  void Queue(std::function<absl::Status()> work, Done done) {
    waiting_.push_back({std::move(work), std::move(done)});
  }

  void AppendToLog(const Record& record) {
    log_.history.Append(record.position);
    log_.logged.Add(record.position);
    log_.logged.Add(record.origin);
    entries_.push_back(record);
    if (!record.text.empty()) memories_.insert_or_assign(record.text, record);
    if (record.text.empty()) {
      log_.assignment = record.position;
      if (log_.holders.empty()) log_.holders = ring_;
    }
    if (log_.base != Version()) return;
    std::erase_if(outbox_, [&](const Record& held) { return held.origin == record.origin; });
    CountOutbox();
  }

  void AddToOutbox(const Record& record) {
    outbox_.push_back(record);
    CountOutbox();
  }

  void CountOutbox() {
    log_.outbox = VersionVector();
    for (const Record& record : outbox_) log_.outbox.Add(record.origin);
    log_.outbox_entries = outbox_.size();
  }

  // The tail goes before the branch: it is what the branch was written on.
  void CutAfter(const Version& common) {
    if (CountAfter(common) != EntriesAfter(common)) return ForgetLog();
    std::vector<Record> tail;
    while (!entries_.empty() && entries_.back().position > common) {
      const Record& record = entries_.back();
      if (record.origin != record.position) {
        log_.logged.Set({record.origin.epoch, record.previous});
      }
      if (!record.text.empty()) {
        tail.insert(tail.begin(), record);
        memories_.erase(record.text);
      }
      entries_.pop_back();
    }
    // Own positions: what the history of each epoch ends at now.
    const std::vector<Version> before = log_.history.rows();
    log_.history.CutAfter(common);
    for (const Version& row : before) {
      uint64_t last = 0;
      for (const Version& left : log_.history.rows()) {
        if (left.epoch == row.epoch) last = left.sequence;
      }
      if (last < row.sequence) log_.logged.Set({row.epoch, last});
    }
    for (const Record& held : outbox_) {
      std::erase_if(tail, [&](const Record& record) { return record.origin == held.origin; });
    }
    outbox_.insert(outbox_.begin(), tail.begin(), tail.end());
    CountOutbox();
  }

  bool Follows(const Epoch& epoch) const {
    return epoch == log_.holder.epoch() && log_.holder.Accepts(epoch);
  }

  // How many entries there are after the position, and how many there should be.
  uint64_t EntriesAfter(const Version& position) const {
    uint64_t entries = 0;
    for (const Record& record : entries_) entries += record.position > position ? 1 : 0;
    return entries;
  }
  uint64_t CountAfter(const Version& position) const {
    uint64_t count = 0;
    for (const Version& row : log_.history.rows()) {
      if (row.epoch > position.epoch) count += row.sequence;
      if (row.epoch == position.epoch) count += row.sequence - position.sequence;
    }
    return count;
  }
  void ForgetLog() {
    entries_.clear();
    log_.BecomeIncomplete();
    log_.history = EpochHistory();
    log_.logged = VersionVector();
    log_.assignment = Version();
    log_.base = {};
  }

  NodeId self_;
  std::vector<NodeId> ring_;
  SpaceLog log_;
  std::vector<Record> entries_;
  std::vector<Record> outbox_;
  std::map<std::string, Record> memories_;  // the effects of the main log, by text
  std::deque<Command> waiting_;
};

}  // namespace engram::replication
