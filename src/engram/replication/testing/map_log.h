// The log of one space as a model: LogPort said as plainly as it can be, on vectors. Commands wait
// until Commit() makes the oldest durable; a crash forgets those that wait. What a change says is a
// text; the store is the set of all texts that stand in the log or in the outbox.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
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
      AppendToLog({position, position, log_.logged.SequenceOf(position.epoch), text});
      return position;
    }
    if (!branch || log_.holder.epoch() == Epoch()) return std::nullopt;
    const Version origin = log_.NextOfBranch(self_);
    AddToOutbox({{}, origin, log_.Seen().SequenceOf(origin.epoch), text});
    return origin;
  }
  // The texts of all changes that stand here, assignments left out.
  std::multiset<std::string> Store() const {
    std::multiset<std::string> store;
    for (const Record& record : entries_) {
      if (!record.text.empty()) store.insert(record.text);
    }
    for (const Record& record : outbox_) store.insert(record.text);
    return store;
  }
  std::vector<std::string> Logged() const {
    std::vector<std::string> texts;
    for (const Record& record : entries_) texts.push_back(record.text);
    return texts;
  }
  const SpaceLog& log() const { return log_; }

  // --- LogPort

  void Bind(const SpaceId&, const HolderState& state, const std::vector<NodeId>& holders,
            Done done) override {
    Queue(
        [this, state, holders] {
          log_.holder = state;
          if (log_.holders.empty()) log_.holders = holders;
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
          for (Record record : std::exchange(outbox_, {})) {
            record.position = log_.NextPosition();
            AppendToLog(record);
          }
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

  void MayTrim(const SpaceId&, const Version&) override {}

  std::optional<SpaceLog> FindLog(const SpaceId&) const override {
    if (log_ == SpaceLog()) return std::nullopt;
    return log_;
  }
  std::vector<SpaceId> ListLogs() const override { return {}; }

  absl::StatusOr<std::vector<Entry>> ReadLog(const SpaceId&, const Version& after,
                                             const ReadLimits& limits) const override {
    std::vector<Entry> read;
    for (const Record& record : entries_) {
      if (record.position <= after || read.size() == limits.entries_max) continue;
      read.push_back({record.position, Encode(record)});
    }
    return read;
  }

  absl::StatusOr<std::vector<Change>> ReadOutbox(const SpaceId&,
                                                 const ReadLimits& limits) const override {
    std::vector<Change> read;
    VersionVector seen = log_.logged;
    for (const Record& record : outbox_) {
      if (read.size() == limits.entries_max) break;
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
    if (record.text.empty()) {
      log_.assignment = record.position;
      if (log_.holders.empty()) log_.holders = ring_;
    }
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
    std::vector<Record> tail;
    while (!entries_.empty() && entries_.back().position > common) {
      const Record& record = entries_.back();
      if (record.origin != record.position) {
        log_.logged.Set({record.origin.epoch, record.previous});
      }
      if (!record.text.empty()) tail.insert(tail.begin(), record);
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
    outbox_.insert(outbox_.begin(), tail.begin(), tail.end());
    CountOutbox();
  }

  NodeId self_;
  std::vector<NodeId> ring_;
  SpaceLog log_;
  std::vector<Record> entries_;
  std::vector<Record> outbox_;
  std::deque<Command> waiting_;
};

}  // namespace engram::replication
