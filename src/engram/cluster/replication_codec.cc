#include "engram/cluster/replication_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engram/base/error.h"
#include "engram/base/names.h"
#include "engram/base/version_vector.h"
#include "engram/routing/route.h"

namespace engram::cluster {
namespace {

namespace r = replication;
namespace proto = peer::v1;
using Kind = proto::SpaceMessage::MessageCase;

// This node's own clock reads it again; to others it is a number.
constexpr int64_t ToNanos(TimePoint t) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
}
constexpr TimePoint FromNanos(int64_t ns) {
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(ns)));
}

// ---- to the wire

void Fill(const Epoch& epoch, v1::Epoch& out) {
  out.set_counter(epoch.counter);
  out.set_primary(epoch.primary.value());
}

void Fill(const Version& version, v1::Version& out) {
  Fill(version.epoch, *out.mutable_epoch());
  out.set_sequence(version.sequence);
}

template <class Rows>
void FillAll(const Rows& versions, google::protobuf::RepeatedPtrField<v1::Version>& out) {
  for (const Version& version : versions) Fill(version, *out.Add());
}

void FillAll(const std::vector<NodeId>& nodes,
             google::protobuf::RepeatedPtrField<std::string>& out) {
  for (const NodeId& node : nodes) *out.Add() = node.value();
}

template <class Message>
void FillCopy(r::CopyState copy, Message& out) {
  out.set_incomplete(copy != r::CopyState::kComplete);
  out.set_remembers(copy == r::CopyState::kBehind);
}

// The writers, one for each kind.
struct Writer {
  proto::SpaceMessage& out;

  void operator()(const r::Heartbeat& m) const {
    proto::Heartbeat& p = *out.mutable_heartbeat();
    Fill(m.epoch, *p.mutable_epoch());
    p.set_sent_ns(ToNanos(m.sent));
    if (m.last != Version()) Fill(m.last, *p.mutable_last());
    if (m.held != Version()) Fill(m.held, *p.mutable_held());
    FillAll(m.holders, *p.mutable_holders());
  }
  void operator()(const r::HeartbeatAnswer& m) const {
    proto::HeartbeatAnswer& p = *out.mutable_heartbeat_answer();
    Fill(m.epoch, *p.mutable_epoch());
    p.set_sent_ns(ToNanos(m.sent));
    p.set_in_step(m.in_step);
    if (m.position != Version()) Fill(m.position, *p.mutable_position());
    FillCopy(m.copy, p);
  }
  void operator()(const r::Fenced& m) const {
    proto::Fenced& p = *out.mutable_fenced();
    p.set_promised(m.promised);
    if (m.epoch != Epoch()) Fill(m.epoch, *p.mutable_epoch());
  }
  void operator()(const r::Canvass& m) const {
    out.mutable_canvass()->set_counter(m.counter);
    FillAll(m.holders, *out.mutable_canvass()->mutable_holders());
  }
  void operator()(const r::WouldPromise& m) const {
    out.mutable_would_promise()->set_counter(m.counter);
    FillCopy(m.copy, *out.mutable_would_promise());
  }
  void operator()(const r::AskPromise& m) const {
    proto::AskPromise& p = *out.mutable_ask_promise();
    p.set_counter(m.counter);
    FillAll(m.holders, *p.mutable_holders());
    p.set_primary_promised(m.primary_promised);
  }
  void operator()(const r::Promise& m) const {
    proto::Promise& p = *out.mutable_promise();
    p.set_counter(m.counter);
    if (m.position != Version()) Fill(m.position, *p.mutable_position());
    FillCopy(m.copy, p);
  }
  void operator()(const r::Appoint& m) const { out.mutable_appoint()->set_counter(m.counter); }
  void operator()(const r::HandOver& m) const {
    proto::HandOver& p = *out.mutable_hand_over();
    p.set_counter(m.counter);
    if (m.position != Version()) Fill(m.position, *p.mutable_position());
  }
  void operator()(const r::FailoverMessage& m) const { std::visit(*this, m); }
  void operator()(const r::Lineage& m) const {
    proto::Lineage& p = *out.mutable_lineage();
    Fill(m.epoch, *p.mutable_epoch());
    FillAll(m.history.rows(), *p.mutable_history());
  }
  void operator()(r::Entries& m) const {
    proto::Entries& p = *out.mutable_entries();
    Fill(m.epoch, *p.mutable_epoch());
    if (m.previous != Version()) Fill(m.previous, *p.mutable_previous());
    const Epoch* before = &m.previous.epoch;
    for (r::Entry& entry : m.entries) {
      proto::LogEntry& e = *p.add_entries();
      if (entry.position.epoch != *before) Fill(entry.position.epoch, *e.mutable_epoch());
      e.set_sequence(entry.position.sequence);
      e.set_content(std::move(entry.bytes));
      before = &entry.position.epoch;
    }
  }
  void operator()(const r::Confirm& m) const {
    proto::Confirm& p = *out.mutable_confirm();
    Fill(m.epoch, *p.mutable_epoch());
    if (m.position != Version()) Fill(m.position, *p.mutable_position());
    p.set_gap(m.gap);
    p.set_incomplete(m.incomplete);
  }
  void operator()(r::Offer& m) const {
    proto::Offer& p = *out.mutable_offer();
    Fill(m.epoch, *p.mutable_epoch());
    for (r::Change& change : m.changes) {
      proto::OutboxChange& c = *p.add_changes();
      Fill(change.origin, *c.mutable_origin());
      c.set_previous(change.previous);
      c.set_content(std::move(change.bytes));
    }
  }
  void operator()(r::Base& m) const {
    proto::Base& p = *out.mutable_base();
    Fill(m.epoch, *p.mutable_epoch());
    FillAll(m.log.history.rows(), *p.mutable_history());
    FillAll(m.log.logged.rows(), *p.mutable_logged());
    FillAll(m.log.holders, *p.mutable_holders());
    if (m.log.assignment != Version()) Fill(m.log.assignment, *p.mutable_assignment());
    p.set_totals(std::move(m.log.totals));
  }
  void operator()(r::Fetch& m) const {
    proto::Fetch& p = *out.mutable_fetch();
    Fill(m.epoch, *p.mutable_epoch());
    if (m.position != Version()) Fill(m.position, *p.mutable_position());
    p.set_after(std::move(m.after));
    p.set_until(std::move(m.until));
    p.set_digest(std::move(m.digest));
  }
  void operator()(r::Piece& m) const {
    proto::Piece& p = *out.mutable_piece();
    Fill(m.epoch, *p.mutable_epoch());
    if (m.position != Version()) Fill(m.position, *p.mutable_position());
    p.set_equal(m.equal);
    p.set_after(std::move(m.content.after));
    p.set_until(std::move(m.content.until));
    FillAll(m.content.logged.rows(), *p.mutable_logged());
    for (std::string& item : m.content.items) p.add_items(std::move(item));
  }
};

// ---- from the wire

// Reads fields, and keeps the first thing that is wrong; what it gives then means nothing.
class Reader {
 public:
  const absl::Status& status() const { return status_; }

  void Check(bool holds, std::string_view field, std::string_view message) {
    if (!holds && status_.ok()) status_ = InvalidArgument(field, message);
  }

  uint64_t Number(uint64_t value, uint64_t min, std::string_view field) {
    Check(value >= min && value <= kNumberMax, field,
          fmt::format("{} is not within {} to {}", value, min, kNumberMax));
    return value;
  }
  // As promises and epochs have them.
  uint64_t Counter(uint64_t value) { return Number(value, 1, "counter"); }

  NodeId Node(const std::string& name, std::string_view field) {
    if (status_.ok()) status_ = CheckNodeId(field, name);
    return NodeId(name);
  }

  // Of a primary.
  Epoch Reign(const v1::Epoch& epoch, std::string_view field = "epoch") {
    return {Number(epoch.counter(), 1, field), Node(epoch.primary(), field)};
  }
  // Of one who may never have heard a primary.
  Epoch Stream(const v1::Epoch& epoch, std::string_view field) {
    return {Number(epoch.counter(), 0, field), Node(epoch.primary(), field)};
  }
  Version Position(const v1::Version& position, std::string_view field) {
    return {Reign(position.epoch(), field), Number(position.sequence(), 1, field)};
  }
  // Absent: of an empty log.
  template <class Message>
  Version End(const Message& message, bool has, const v1::Version& (Message::*get)() const,
              std::string_view field) {
    return has ? Position((message.*get)(), field) : Version();
  }

  template <class Message>
  static r::CopyState Copy(const Message& message) {
    if (!message.incomplete()) return r::CopyState::kComplete;
    return message.remembers() ? r::CopyState::kBehind : r::CopyState::kForgetful;
  }

  r::Heartbeat Read(proto::Heartbeat& m) {
    return {Reign(m.epoch()), FromNanos(m.sent_ns()),
            End(m, m.has_last(), &proto::Heartbeat::last, "last"),
            End(m, m.has_held(), &proto::Heartbeat::held, "held"), Holders(m.holders())};
  }
  r::HeartbeatAnswer Read(proto::HeartbeatAnswer& m) {
    return {Reign(m.epoch()), FromNanos(m.sent_ns()), m.in_step(),
            End(m, m.has_position(), &proto::HeartbeatAnswer::position, "position"), Copy(m)};
  }
  r::Fenced Read(proto::Fenced& m) {
    return {Number(m.promised(), 0, "promised"), m.has_epoch() ? Reign(m.epoch()) : Epoch()};
  }
  r::Canvass Read(proto::Canvass& m) { return {Counter(m.counter()), Holders(m.holders())}; }
  r::WouldPromise Read(proto::WouldPromise& m) { return {Counter(m.counter()), Copy(m)}; }
  r::AskPromise Read(proto::AskPromise& m) {
    return {Counter(m.counter()), Holders(m.holders()), m.primary_promised()};
  }
  r::Promise Read(proto::Promise& m) {
    return {Counter(m.counter()), End(m, m.has_position(), &proto::Promise::position, "position"),
            Copy(m)};
  }
  r::Appoint Read(proto::Appoint& m) { return {Counter(m.counter())}; }
  r::HandOver Read(proto::HandOver& m) {
    return {Counter(m.counter()), End(m, m.has_position(), &proto::HandOver::position, "position")};
  }
  r::Lineage Read(proto::Lineage& m) { return {Reign(m.epoch()), History(m.history())}; }
  r::Entries Read(proto::Entries& m) {
    r::Entries entries{
        Reign(m.epoch()), End(m, m.has_previous(), &proto::Entries::previous, "previous"), {}};
    ReadEntries(m, entries);
    return entries;
  }
  r::Confirm Read(proto::Confirm& m) {
    return {Reign(m.epoch()), End(m, m.has_position(), &proto::Confirm::position, "position"),
            m.gap(), m.incomplete()};
  }
  r::Offer Read(proto::Offer& m) { return {Reign(m.epoch()), Changes(m)}; }
  r::Base Read(proto::Base& m) {
    r::Base base{Reign(m.epoch()),
                 {History(m.history()), Seen(m.logged()), Holders(m.holders()),
                  End(m, m.has_assignment(), &proto::Base::assignment, "assignment"),
                  std::move(*m.mutable_totals())}};
    Check(base.log.history.last() != Version(), "history", "it is empty");
    Check(!base.log.holders.empty(), "holders", "there are none");
    Check(base.log.history.last().epoch <= base.epoch, "history",
          "it is of a newer epoch than its sender's");
    return base;
  }
  r::Fetch Read(proto::Fetch& m) {
    CheckSize(m.digest(), kDigestSize, "digest");
    return {Reign(m.epoch()), End(m, m.has_position(), &proto::Fetch::position, "position"),
            Key(*m.mutable_after(), "after"), Key(*m.mutable_until(), "until"),
            std::move(*m.mutable_digest())};
  }
  r::Piece Read(proto::Piece& m) {
    r::Piece piece{
        Reign(m.epoch()),
        End(m, m.has_position(), &proto::Piece::position, "position"),
        m.equal(),
        {Key(*m.mutable_after(), "after"), Key(*m.mutable_until(), "until"), Seen(m.logged()), {}}};
    Check(piece.content.until.empty() || piece.content.until > piece.content.after, "until",
          "it is not beyond the piece's beginning");
    CheckCount(m.items_size(), kEntriesMax, "items");
    Check(!m.equal() || m.items().empty(), "items", "there are some, though the piece is equal");
    for (std::string& item : *m.mutable_items()) {
      Check(!item.empty(), "items", "one is empty");
      piece.content.items.push_back(std::move(item));
    }
    return piece;
  }

 private:
  void CheckCount(int count, size_t max, std::string_view field) {
    Check(static_cast<size_t>(count) <= max, field, fmt::format("{}, at most {}", count, max));
  }

  // A key of the store's: a letter and a name, or nothing.
  std::string Key(std::string& key, std::string_view field) {
    CheckSize(key, kKeyMax, field);
    return std::move(key);
  }
  void CheckSize(const std::string& bytes, size_t max, std::string_view field) {
    Check(bytes.size() <= max, field, fmt::format("{} bytes, at most {}", bytes.size(), max));
  }

  VersionVector Seen(const google::protobuf::RepeatedPtrField<v1::Version>& rows) {
    CheckCount(rows.size(), kHistoryRowsMax, "logged");
    VersionVector seen;
    for (const v1::Version& row : rows) {
      const Version last{Stream(row.epoch(), "logged"), Number(row.sequence(), 1, "logged")};
      // As sent; and so adding each takes no search through all of them.
      Check(seen.empty() || seen.rows().back().epoch < last.epoch, "logged",
            "the streams do not ascend");
      if (!status_.ok()) break;
      seen.Add(last);
    }
    return seen;
  }

  std::vector<NodeId> Holders(const google::protobuf::RepeatedPtrField<std::string>& names) {
    CheckCount(names.size(), routing::Route::kReplicasMax + 1, "holders");
    std::vector<NodeId> holders;
    for (const std::string& holder : names) holders.push_back(Node(holder, "holders"));
    // Majorities are counted of them.
    Check(std::set<NodeId>(holders.begin(), holders.end()).size() == holders.size(), "holders",
          "a node stands there twice");
    return holders;
  }

  r::EpochHistory History(const google::protobuf::RepeatedPtrField<v1::Version>& proto) {
    CheckCount(proto.size(), kHistoryRowsMax, "history");
    std::vector<Version> rows;
    rows.reserve(static_cast<size_t>(proto.size()));
    for (const v1::Version& row : proto) rows.push_back(Position(row, "history"));
    std::optional<r::EpochHistory> history = r::EpochHistory::FromRows(std::move(rows));
    Check(history.has_value(), "history", "the epochs do not ascend");
    return history.value_or(r::EpochHistory());
  }

  // As EpochHistory::MayAppend.
  static bool IsNext(const Version& before, const Version& position) {
    if (position.epoch == before.epoch) {
      return before.sequence > 0 && position.sequence == before.sequence + 1;
    }
    return position.epoch > before.epoch && position.sequence == 1;
  }

  void ReadEntries(proto::Entries& m, r::Entries& out) {
    CheckCount(m.entries_size(), kEntriesMax, "entries");
    out.entries.reserve(static_cast<size_t>(m.entries_size()));
    Version before = out.previous;
    for (proto::LogEntry& entry : *m.mutable_entries()) {
      Version position{entry.has_epoch() ? Reign(entry.epoch(), "entries") : before.epoch,
                       Number(entry.sequence(), 1, "entries")};
      Check(IsNext(before, position), "entries", "one does not follow the one before it");
      Check(!entry.content().empty(), "entries", "one is empty");
      before = position;
      out.entries.push_back({std::move(position), std::move(*entry.mutable_content())});
    }
    Check(before.epoch <= out.epoch, "entries", "one is of a newer epoch than its sender's");
  }

  std::vector<r::Change> Changes(proto::Offer& m) {
    CheckCount(m.changes_size(), kEntriesMax, "changes");
    std::vector<r::Change> changes;
    changes.reserve(static_cast<size_t>(m.changes_size()));
    VersionVector seen;
    for (proto::OutboxChange& change : *m.mutable_changes()) {
      Version origin{Stream(change.origin().epoch(), "changes"),
                     Number(change.origin().sequence(), 1, "changes")};
      Check(change.previous() < origin.sequence, "changes", "one comes before what precedes it");
      Check(!seen.Covers(origin), "changes", "a stream goes back");
      Check(!change.content().empty(), "changes", "one is empty");
      if (!status_.ok()) break;
      seen.Add(origin);
      changes.push_back({origin, change.previous(), std::move(*change.mutable_content())});
    }
    return changes;
  }

  absl::Status status_;
};

std::optional<r::ReplicaMessage> ReadMessage(proto::SpaceMessage& m, Reader& reader) {
  switch (m.message_case()) {
    case Kind::kHeartbeat:
      return reader.Read(*m.mutable_heartbeat());
    case Kind::kHeartbeatAnswer:
      return reader.Read(*m.mutable_heartbeat_answer());
    case Kind::kFenced:
      return reader.Read(*m.mutable_fenced());
    case Kind::kCanvass:
      return reader.Read(*m.mutable_canvass());
    case Kind::kWouldPromise:
      return reader.Read(*m.mutable_would_promise());
    case Kind::kAskPromise:
      return reader.Read(*m.mutable_ask_promise());
    case Kind::kPromise:
      return reader.Read(*m.mutable_promise());
    case Kind::kAppoint:
      return reader.Read(*m.mutable_appoint());
    case Kind::kHandOver:
      return reader.Read(*m.mutable_hand_over());
    case Kind::kLineage:
      return reader.Read(*m.mutable_lineage());
    case Kind::kEntries:
      return reader.Read(*m.mutable_entries());
    case Kind::kConfirm:
      return reader.Read(*m.mutable_confirm());
    case Kind::kOffer:
      return reader.Read(*m.mutable_offer());
    case Kind::kBase:
      return reader.Read(*m.mutable_base());
    case Kind::kFetch:
      return reader.Read(*m.mutable_fetch());
    case Kind::kPiece:
      return reader.Read(*m.mutable_piece());
    case Kind::MESSAGE_NOT_SET:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

proto::SpaceMessage ToProto(SpaceMessage message) {
  proto::SpaceMessage out;
  out.set_space(message.space.value());
  std::visit(Writer{out}, message.message);
  return out;
}

absl::StatusOr<SpaceMessage> FromProto(proto::SpaceMessage message) {
  if (absl::Status name = CheckSpaceName("space", message.space()); !name.ok()) return name;
  Reader reader;
  std::optional<r::ReplicaMessage> read = ReadMessage(message, reader);
  if (!read.has_value()) {
    return MakeError(ErrorCode::kUnimplemented, "a replication message of an unknown kind");
  }
  if (!reader.status().ok()) return reader.status();
  return SpaceMessage{SpaceId(message.space()), *std::move(read)};
}

}  // namespace engram::cluster
