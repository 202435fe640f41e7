// Between the messages of a recall over several spaces and the values of memory/. Pure;
// thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/memory/findings.h"
#include "engram/peer/v1/peer.pb.h"
#include "engram/v1/memory.pb.h"

namespace engram::server {

// The question without its spaces. Errors are those of ToQuery().
absl::StatusOr<memory::RecallQuery> ToQuery(const v1::RecallManyRequest& request);

peer::v1::TextStatistics ToProto(const memory::TextStatistics& statistics);
memory::TextStatistics FromProto(const peer::v1::TextStatistics& proto);

// Rounded up; 0 for what is negative.
uint64_t MillisOf(Duration duration);

peer::v1::SpaceRefusal ToRefusal(const absl::Status& status);
// An error with the refusal's code, text and time to come again.
absl::Status FromProto(const peer::v1::SpaceRefusal& refusal);

// Why a node did not answer for a space; null if it did, or said nothing of it.
template <class Outcome>
const peer::v1::SpaceRefusal* RefusalIn(const Outcome* outcome) {
  return outcome == nullptr || !outcome->has_refusal() ? nullptr : &outcome->refusal();
}

// The memory as it travels before the merge has given it a score: its confidence is its own.
v1::RecallResult ToRecord(memory::Memory memory);

peer::v1::SpaceFindings ToProto(memory::SpaceFindings findings);

// One space's findings, as they came from its node.
struct ReceivedFindings {
  memory::SpaceFindings findings;                        // without memories
  std::vector<std::optional<v1::RecallResult>> records;  // by position in findings.found
};
// Nothing if the message contradicts itself.
std::optional<ReceivedFindings> FromProto(peer::v1::SpaceFindings proto);

}  // namespace engram::server
