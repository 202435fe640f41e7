// Judges a recorded history (history.h) by the promises of SPEC §4: 1 to 7 and 10 (amplification
// and idle nodes, 8 and 9, are measured elsewhere). Pure: no I/O, no clock; the same history gives
// the same verdict. Not sampled: everything that can be judged soundly is, in O(n log n).
//
// Sound: a history of a right cluster is never blamed, so every doubt is in favour of the cluster.
// An unknown write may take effect at any time until the end, or never. A request takes effect once
// between its first beginning and its first `ok`, or on both sides of a split, where one of the two
// effects is a duplicate: it disappears in the merge, but what it had replaced does not come back
// (docs/model/README.md, decision 12). So the place of an answer says when the effect came only if
// it was asked for once: where the client lost an answer, or the entry node asked others before it
// took a flagged write, no place and no delete is judged. And such a request may have taken away
// what is younger than its answer, unless that was written by who had its effect. What follows for
// each promise:
//
// 1  An acknowledged store (flagged, too: branches are merged) is in every copy at the end, as the
//    current content or a sibling, or something is there, or may have deleted it, that can have
//    come after it: that ended after the store began, and is not before it in the same log. With
//    ack `primary` it is owed while the disk of the node that took it survives, otherwise while
//    fewer than a majority of `copies` disks are lost in the whole cluster. Not judged: an edit
//    that a delete had not seen and that was deleted all the same, unless the delete was
//    acknowledged before the edit began.
// 2  Only the primary of an epoch (or the owner of a branch) acknowledges first effects in it, and
// no
//    two requests have the same place in a log. Needs `first_effect`, since a repeat may be
//    answered by a later primary.
// 3  Copies of a space hold the same memories, the same current content, the same siblings. A
//    tombstone equals nothing, as it may be collected. Versions are not compared.
// 4  In periods declared calm every operation is answered `ok` with at most 3 hops. Nothing is
//    claimed outside of them.
// 5  A request has one id, one place in each log, and stands once in a copy. That an effect came
//    again after another write had replaced it shows as 1, 7 or 10.
// 6  No answer comes later than deadline + `late`.
// 7  What an acknowledged delete saw is in no copy at the end, if the delete is owed as in 1. It
//    saw what was acknowledged before it began at the same node, or by a quorum if it was not
//    flagged itself; and what is before it in the same log. A read that shows deleted content is
//    blamed under 10.
// 10 No read, flagged or not, shows what nobody can have written yet. A get without the flag
//    reflects every write that was acknowledged before it began by a quorum, or in the epoch the
//    get was answered from, or by the same node, or that its token covers; and what an earlier get
//    without the flag showed, of the same epoch at its primary, or of the same node, or covered by
//    the token. Not owed: an `ack primary` write of an epoch before, which may wait in the outbox
//    of a node that is away (docs/model/README.md, decision 12), if no token asks for it. Not
//    judged: siblings that should have been resolved; a get that finds a memory after another one
//    did not, if no acknowledged delete is behind it. Spaces are to be created before the trouble
//    begins: two creators with different rings do not see each other (decision 18).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engram/base/time.h"
#include "support/history.h"

namespace engram::testing {

// Numbers of SPEC §4. kRecord: the history breaks the rules of history.h, and nothing else that is
// said of it counts.
enum class Promise : uint8_t {
  kRecord = 0,
  kNothingLost = 1,
  kOnePrimary = 2,
  kCopiesEqual = 3,
  kFewHops = 4,
  kOneEffect = 5,
  kInTime = 6,
  kStaysDeleted = 7,
  kNeverWrong = 10,
};
inline constexpr size_t kPromiseCount = 11;

std::string_view NameOf(Promise promise);

struct CheckerOptions {
  size_t listed_max = 20;                         // violations told in words; all are counted
  size_t copies = 3;                              // of which a majority is taken (1)
  Duration late = std::chrono::milliseconds(50);  // zero in virtual time (6)
  int hops_max = 3;                               // (4)
};

struct Violation {
  Promise promise = Promise::kRecord;
  std::vector<size_t> lines;  // of the history, the accused one first
  std::string why;
};

struct Verdict {
  std::array<size_t, kPromiseCount> counts{};  // by number of the promise
  std::vector<Violation> violations;           // the first listed_max of them

  size_t total() const;
  bool ok() const { return total() == 0; }
  size_t CountOf(Promise promise) const { return counts.at(static_cast<size_t>(promise)); }
  // For a person: one line for each violation that is listed, and how many there are.
  std::string ToString() const;
};

[[nodiscard]] Verdict Judge(const History& history, const CheckerOptions& options = {});

}  // namespace engram::testing
