#include "support/history.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <istream>
#include <ostream>
#include <string_view>
#include <utility>

#include "engram/base/error.h"

namespace engram::testing {
namespace {

constexpr std::string_view kFirstLine = "engram-history 1";
constexpr std::string_view kNone = "-";
constexpr std::array<std::string_view, 3> kKinds = {"store", "forget", "get"};
constexpr std::array<std::string_view, 3> kOutcomes = {"ok", "fail", "unknown"};
constexpr std::array<std::string_view, 3> kAcks = {"primary", "quorum", "all"};

bool IsPlain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
         c == '_' || c == ':';
}

// Separators and "-" itself are not plain, so no text is taken for one of them. Empty is "-".
std::string Escape(std::string_view text) {
  if (text.empty()) return std::string(kNone);
  std::string out;
  for (const char c : text) {
    // A dash is plain but where it would stand alone.
    if (IsPlain(c) || (c == '-' && text.size() > 1)) {
      out.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string Encode(TimePoint time) { return fmt::format("{}", time.time_since_epoch().count()); }

std::string Encode(const std::optional<TimePoint>& time) {
  return time ? Encode(*time) : std::string(kNone);
}

std::string Encode(const Version& version) {
  if (version == Version{}) return std::string(kNone);
  return fmt::format("{}/{}/{}", version.epoch.counter, Escape(version.epoch.primary.view()),
                     version.sequence);
}

std::string Encode(const std::vector<Revision>& revisions) {
  std::string out;
  for (const Revision& revision : revisions) {
    if (!out.empty()) out.push_back(',');
    out += Escape(revision.value) + "@" + Encode(revision.version);
  }
  return out.empty() ? std::string(kNone) : out;
}

template <class Enum, size_t N>
std::string_view NameOf(Enum value, const std::array<std::string_view, N>& names) {
  return names.at(static_cast<size_t>(value));
}

// The words of one line, one after the other. At the first wrong one it turns not-ok and remembers
// which field it was.
class LineParser {
 public:
  explicit LineParser(std::string_view line) : rest_(line) {}

  std::string_view Word(std::string_view field) {
    field_ = ok_ ? field : field_;
    const size_t end = rest_.find(' ');
    const std::string_view word = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    Require(!word.empty());
    return word;
  }

  std::string Text(std::string_view field) { return Unescape(Word(field)); }

  template <class Number>
  Number Take(std::string_view field) {
    return ToNumber<Number>(Word(field));
  }

  TimePoint Time(std::string_view field) { return TimePoint(Duration(Take<Duration::rep>(field))); }

  std::optional<TimePoint> MaybeTime(std::string_view field) {
    const std::string_view word = Word(field);
    if (word == kNone) return std::nullopt;
    return TimePoint(Duration(ToNumber<Duration::rep>(word)));
  }

  engram::Version Place(std::string_view field) { return ToVersion(Word(field)); }

  template <class Enum, size_t N>
  Enum OneOf(std::string_view field, const std::array<std::string_view, N>& names) {
    const std::string_view word = Word(field);
    for (size_t i = 0; i < N; ++i) {
      if (names.at(i) == word) return static_cast<Enum>(i);
    }
    Require(false);
    return {};
  }

  bool Flag(std::string_view field, std::string_view name) {
    const std::string_view word = Word(field);
    Require(word == name || word == kNone);
    return word == name;
  }

  std::vector<Revision> Revisions(std::string_view field) {
    std::string_view word = Word(field);
    std::vector<Revision> out;
    if (word == kNone) return out;
    while (ok_) {
      const size_t comma = word.find(',');
      const std::string_view one = word.substr(0, comma);
      const size_t at = one.find('@');
      if (!Require(at != std::string_view::npos)) break;
      out.push_back({Unescape(one.substr(0, at)), ToVersion(one.substr(at + 1))});
      if (comma == std::string_view::npos) break;
      word.remove_prefix(comma + 1);
    }
    return out;
  }

  // OK when everything was read and right; otherwise names the field.
  absl::Status Finish(size_t line) {
    if (ok_ && !rest_.empty()) field_ = "end of line";
    if (ok_ && rest_.empty()) return absl::OkStatus();
    return InvalidArgument(field_, fmt::format("line {}: wrong or missing {}", line, field_));
  }

 private:
  bool Require(bool condition) {
    ok_ = ok_ && condition;
    return ok_;
  }

  template <class Number>
  Number ToNumber(std::string_view word) {
    Number number{};
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, number);
    Require(!word.empty() && error == std::errc() && stop == end);
    return number;
  }

  std::string Unescape(std::string_view word) {
    std::string out;
    if (word == kNone) return out;
    for (size_t i = 0; i < word.size(); ++i) {
      if (word[i] != '%') {
        Require(IsPlain(word[i]) || word[i] == '-');
        out.push_back(word[i]);
      } else if (Require(i + 2 < word.size())) {
        unsigned byte = 0;
        const char* end = word.data() + i + 3;
        Require(std::from_chars(word.data() + i + 1, end, byte, 16).ptr == end);
        out.push_back(static_cast<char>(byte));
        i += 2;
      }
    }
    Require(!word.empty());
    return out;
  }

  engram::Version ToVersion(std::string_view word) {
    if (word == kNone) return {};
    const size_t first = word.find('/');
    const size_t last = word.rfind('/');
    if (!Require(first != last)) return {};
    return {{ToNumber<uint64_t>(word.substr(0, first)),
             NodeId(Unescape(word.substr(first + 1, last - first - 1)))},
            ToNumber<uint64_t>(word.substr(last + 1))};
  }

  std::string_view rest_;
  std::string_view field_ = "kind of line";
  bool ok_ = true;
};

Operation ParseOperation(LineParser& in, size_t line) {
  Operation op;
  op.line = line;
  op.kind = in.OneOf<OperationKind>("kind", kKinds);
  op.outcome = in.OneOf<Outcome>("outcome", kOutcomes);
  op.ack = in.OneOf<AckLevel>("ack", kAcks);
  op.flagged = in.Flag("flagged", "flagged");
  op.first_effect = in.Flag("first effect", "first");
  op.client = in.Text("client");
  op.request = in.Text("request");
  op.space = SpaceId(in.Text("space"));
  op.id = MemoryId(in.Text("id"));
  op.begin = in.Time("begin");
  op.end = in.MaybeTime("end");
  op.deadline = in.MaybeTime("deadline");
  op.served_by = NodeId(in.Text("served by"));
  op.version = in.Place("version");
  op.token = in.Place("token");
  op.hops = in.Take<int>("hops");
  op.revisions = in.Revisions("revisions");
  return op;
}

Held ParseHeld(LineParser& in, size_t line) {
  Held held;
  held.line = line;
  held.space = SpaceId(in.Text("space"));
  held.node = NodeId(in.Text("node"));
  held.id = MemoryId(in.Text("id"));
  held.revisions = in.Revisions("revisions");
  return held;
}

Copy ParseCopy(LineParser& in, size_t line) {
  SpaceId space(in.Text("space"));
  NodeId node(in.Text("node"));
  return {line, std::move(space), std::move(node)};
}

Calm ParseCalm(LineParser& in, size_t line) {
  const TimePoint begin = in.Time("begin");
  const TimePoint end = in.Time("end");
  return {line, begin, end};
}

absl::Status ParseLine(std::string_view text, size_t line, History& out) {
  LineParser in(text);
  const std::string_view kind = in.Word("kind of line");
  if (kind == "op") {
    out.operations.push_back(ParseOperation(in, line));
  } else if (kind == "held") {
    out.held.push_back(ParseHeld(in, line));
  } else if (kind == "copy") {
    out.copies.push_back(ParseCopy(in, line));
  } else if (kind == "lost") {
    out.lost_disks.push_back({line, NodeId(in.Text("node"))});
  } else if (kind == "calm") {
    out.calm.push_back(ParseCalm(in, line));
  } else {
    return InvalidArgument("kind of line", fmt::format("line {}: unknown kind of line", line));
  }
  return in.Finish(line);
}

}  // namespace

HistoryWriter::HistoryWriter(std::ostream& out) : out_(out) { WriteLine(std::string(kFirstLine)); }

void HistoryWriter::Write(const Operation& op) {
  WriteLine(fmt::format("op {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
                        NameOf(op.kind, kKinds), NameOf(op.outcome, kOutcomes),
                        NameOf(op.ack, kAcks), op.flagged ? "flagged" : kNone,
                        op.first_effect ? "first" : kNone, Escape(op.client), Escape(op.request),
                        Escape(op.space.view()), Escape(op.id.view()), Encode(op.begin),
                        Encode(op.end), Encode(op.deadline), Escape(op.served_by.view()),
                        Encode(op.version), Encode(op.token), op.hops, Encode(op.revisions)));
}

void HistoryWriter::Write(const Copy& copy) {
  WriteLine(fmt::format("copy {} {}", Escape(copy.space.view()), Escape(copy.node.view())));
}

void HistoryWriter::Write(const Held& held) {
  WriteLine(fmt::format("held {} {} {} {}", Escape(held.space.view()), Escape(held.node.view()),
                        Escape(held.id.view()), Encode(held.revisions)));
}

void HistoryWriter::Write(const LostDisk& lost) {
  WriteLine(fmt::format("lost {}", Escape(lost.node.view())));
}

void HistoryWriter::Write(const Calm& calm) {
  WriteLine(fmt::format("calm {} {}", Encode(calm.begin), Encode(calm.end)));
}

void HistoryWriter::Write(const History& history) {
  for (const Operation& operation : history.operations) Write(operation);
  for (const Copy& copy : history.copies) Write(copy);
  for (const Held& held : history.held) Write(held);
  for (const LostDisk& lost : history.lost_disks) Write(lost);
  for (const Calm& calm : history.calm) Write(calm);
}

absl::Status HistoryWriter::Finish() {
  const WriterLock lock(&mutex_);
  out_ << "end " << lines_ << '\n' << std::flush;
  if (out_.good()) return absl::OkStatus();
  return MakeError(ErrorCode::kStorageFailed, "the history could not be written");
}

void HistoryWriter::WriteLine(const std::string& line) {
  const WriterLock lock(&mutex_);
  out_ << line << '\n';
  ++lines_;
}

absl::StatusOr<History> ReadHistory(std::istream& in) {
  History out;
  std::string text;
  if (!std::getline(in, text) || text != kFirstLine) {
    return InvalidArgument("version", fmt::format("line 1: not \"{}\"", kFirstLine));
  }
  for (size_t line = 2; std::getline(in, text); ++line) {
    if (text == fmt::format("end {}", line - 1)) return out;
    if (const absl::Status status = ParseLine(text, line, out); !status.ok()) return status;
  }
  return InvalidArgument("end", "the last line is missing: the history was cut off");
}

}  // namespace engram::testing
