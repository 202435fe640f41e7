// Frames of replication, as a peer that is not what it says may send them.
//
// Input: a byte that says whether the rest is a frame or a batch, which is put into a frame with
// the right checksum, so that it hides nothing. What is read is within the codec's bounds, and is
// read again as the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

#include "engram/base/names.h"
#include "engram/cluster/replication_frame.h"

namespace engram::fuzz {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckBounds(const cluster::SpaceMessage& message) {
  Require(CheckSpaceName("space", message.space.view()).ok());
  if (const auto* entries = std::get_if<replication::Entries>(&message.message)) {
    Version before = entries->previous;
    for (const replication::Entry& entry : entries->entries) {
      Require(before < entry.position && entry.position.epoch <= entries->epoch);
      before = entry.position;
    }
  } else if (const auto* offer = std::get_if<replication::Offer>(&message.message)) {
    for (const replication::Change& change : offer->changes) {
      Require(change.previous < change.origin.sequence && !change.bytes.empty());
    }
  }
}

std::string BatchOf(cluster::Frame frame) {
  std::string batch;
  for (cluster::SpaceMessage& message : frame.messages) {
    batch += cluster::EncodePart(std::move(message));
  }
  return batch;
}

void Hear(const std::string& bytes) {
  absl::StatusOr<cluster::Frame> frame = cluster::DecodeFrame(bytes);
  if (!frame.ok()) return;
  for (const cluster::SpaceMessage& message : frame->messages) CheckBounds(message);
  const cluster::FrameHead head = frame->head;
  const std::string batch = BatchOf(*std::move(frame));
  absl::StatusOr<cluster::Frame> again = cluster::DecodeFrame(cluster::EncodeFrame(head, batch));
  Require(again.ok() && again->head.receiver_life == head.receiver_life);
  Require(again->head.hello.has_value() == head.hello.has_value());
  Require(BatchOf(*std::move(again)) == batch);
}

}  // namespace
}  // namespace engram::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0) bytes = engram::cluster::EncodeFrame({}, std::move(bytes));
  engram::fuzz::Hear(bytes);
  return 0;
}
