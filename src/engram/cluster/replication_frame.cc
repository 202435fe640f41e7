#include "engram/cluster/replication_frame.h"

#include <xxhash.h>

#include <utility>

#include "engram/base/error.h"
#include "engram/base/names.h"

namespace engram::cluster {
namespace {

namespace proto = peer::v1;

uint64_t ChecksumOf(const std::string& batch) { return XXH3_64bits(batch.data(), batch.size()); }

absl::Status Check(const proto::ReplicationHello& hello) {
  absl::Status status = CheckNodeId("sender", hello.sender());
  status.Update(CheckNodeId("receiver", hello.receiver()));
  if (hello.life() == 0) status.Update(InvalidArgument("life", "a process has one"));
  return status;
}

absl::Status ReadBatch(const std::string& bytes, Frame& frame) {
  proto::ReplicationBatch batch;
  if (!batch.ParseFromString(bytes)) return InvalidArgument("batch", "the bytes are malformed");
  frame.messages.reserve(static_cast<size_t>(batch.messages_size()));
  for (proto::SpaceMessage& message : *batch.mutable_messages()) {
    absl::StatusOr<SpaceMessage> read = FromProto(std::move(message));
    if (read.ok()) {
      frame.messages.push_back(*std::move(read));
    } else if (CodeOf(read.status()) == ErrorCode::kUnimplemented) {
      ++frame.unknown;
    } else {
      return read.status();
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodePart(SpaceMessage message) {
  proto::ReplicationBatch batch;  // protobuf joins repeated fields that stand one after the other
  *batch.add_messages() = ToProto(std::move(message));
  return batch.SerializeAsString();
}

std::string EncodeFrame(const FrameHead& head, std::string batch) {
  proto::ReplicationFrame frame;
  if (head.hello.has_value()) {
    proto::ReplicationHello& hello = *frame.mutable_hello();
    hello.set_sender(head.hello->sender.value());
    hello.set_receiver(head.hello->receiver.value());
    hello.set_life(head.hello->life);
  }
  frame.set_receiver_life(head.receiver_life);
  frame.set_checksum(ChecksumOf(batch));
  frame.set_batch(std::move(batch));
  return frame.SerializeAsString();
}

absl::StatusOr<Frame> DecodeFrame(const std::string& bytes) {
  proto::ReplicationFrame read;
  if (!read.ParseFromString(bytes)) return InvalidArgument("frame", "the bytes are malformed");
  if (read.checksum() != ChecksumOf(read.batch())) {
    return InvalidArgument("checksum", "what was sent is not what has come");
  }
  Frame frame;
  frame.head.receiver_life = read.receiver_life();
  if (read.has_hello()) {
    const proto::ReplicationHello& hello = read.hello();
    if (absl::Status status = Check(hello); !status.ok()) return status;
    frame.head.hello = {NodeId(hello.sender()), NodeId(hello.receiver()), hello.life()};
  }
  if (absl::Status status = ReadBatch(read.batch(), frame); !status.ok()) return status;
  return frame;
}

}  // namespace engram::cluster
