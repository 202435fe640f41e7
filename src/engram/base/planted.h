// Faults that a test plants, to see that some other test catches them (issue "Replication, failover
// and healing"; DESIGN §6). Each takes one mechanism away where it stands.
//
// Only what is compiled with ENGRAM_PLANTED_BUGS has them, which is one test program
// (tests/planted). Everywhere else IsPlanted is false when compiled, and nothing is left of it.
#pragma once

#include <cstdint>

namespace engram {

enum class Bug : uint8_t {
  kNone,
  // replication
  kNoFence,               // what comes from an epoch below the promise is accepted
  kNoSelfFence,           // a promise does not bind the primary
  kNoStepDown,            // a primary that hears of a newer epoch goes on
  kPromoteLeastCaughtUp,  // of those who have promised
  kPositionIgnoresEpoch,  // a long tail of an old epoch counts as caught up
  kOfficeUnchecked,       // taken also by who has promised somebody else
  kLeaseFromAnswer,       // counted from when the answer came
  kNoWait,                // a holder promises at any time
  kRestartForgetsContact,
  kRefusalSticks,        // also when the primary was heard since
  kConfirmBeforeCommit,  // a holder confirms what is not durable
  kLogPositionReset,     // a branch is numbered anew each time
  kBranchNotSent,
  // routing
  kOlderAssignmentAccepted,
  kHalfOpenLetsAllThrough,
  kDeadlineIgnored,
  kHopBoundOff,
  kDiffHalfApplied,
  kDigestSkipsColdSpaces,
  // memory
  kAckBeforeCommit,   // told before the disk has it, and whether or not it will
  kAckBeforeSync,     // what the disk has may be lost with the power
  kNoRequestIdCheck,  // a repetition takes effect again
  kNoDuplicateCheck,  // a merge does not look whether its request stands in the log
  kMergeDropsLoser,   // of two that have not seen each other only the later one is kept
  kTombstoneIgnored,  // what a delete has seen takes effect after it
  kSiblingDropped,    // by an edit that has not seen it
  // tombstones
  kNeverCollected,
  kCollectedUnconfirmed,  // though a holder lacks them
};

#ifdef ENGRAM_PLANTED_BUGS
// Set by the test program before anything else; one at a time.
inline Bug planted_bug = Bug::kNone;
inline bool IsPlanted(Bug bug) { return planted_bug == bug; }
#else
constexpr bool IsPlanted(Bug /*bug*/) { return false; }
#endif

}  // namespace engram
