#include "engram/net/transport.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "engram/net/loop_io.h"

namespace engram::net::internal {
namespace {

// A peer that keeps sending gets about so much per wake-up before the others of the loop have their
// turn.
constexpr size_t kBatchBytesMax = 3 * LoopIo::kReceiveBytes;
// A batch of calls, or of a stream's messages, is taken in parts: the answers of one leave before
// the next is looked at, so that this side and the peer work at the same time instead of in turns.
// (64 gets in flight on one connection: 345,000/s instead of 225,000/s.) Smaller parts cost more
// writes than they gain. How many bytes a call has is learnt as they come; a peer may also send the
// headers of all its calls first. A body that is under way has no answer yet, and is after
// kPartBytesMax taken in large pieces.
constexpr size_t kPartBytesMin = 256;
constexpr size_t kPartBytesMax = 8u << 10;
constexpr uint64_t kPartMessagesMin = 5;
constexpr uint64_t kPartMessagesMax = 10;

}  // namespace

Transport::Transport(EventLoop& loop, SocketIo io, WhenBlocked when_blocked)
    : loop_(loop), io_(std::move(io)), when_blocked_(when_blocked) {}

void Transport::Open() { ContinueReading(); }

bool Transport::MayRead() const {
  if (closed_) return false;
  return !blocked_ || write_wants_readable_ || when_blocked_ == WhenBlocked::kKeepReading;
}

void Transport::ContinueReading() {
  if (!MayRead()) return;
  if (more_expected_ || (!drained_ && io_.HasBuffered())) return ReceiveSoon();
  if (std::exchange(reading_, true)) return;
  io_.socket().async_wait(read_wants_writable_ ? Socket::wait_write : Socket::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            self->reading_ = false;
                            if (!error) self->Receive();
                          });
}

void Transport::ReceiveSoon() {
  if (std::exchange(receive_posted_, true)) return;
  boost::asio::post(loop_.context(), [self = shared_from_this()] {
    self->receive_posted_ = false;
    if (self->MayRead()) self->Receive();
  });
}

void Transport::Receive() {
  ReceiveBatch();
  if (closed_) return;
  if (std::exchange(write_wants_readable_, false)) ContinueWriting();
  ContinueReading();
}

void Transport::ReceiveBatch() {
  uint8_t* buffer = loop_.io().receive_buffer();
  const uint64_t messages_before = loop_.counters().messages_received.value();
  size_t taken = 0;
  more_expected_ = false;
  while (taken < kBatchBytesMax && !closed_) {
    const size_t wanted = taken < kPartBytesMax ? part_bytes_ : LoopIo::kReceiveBytes;
    const IoResult in = io_.Read(buffer, wanted);
    loop_.counters().socket_reads.Add();
    drained_ = !in.done();
    read_wants_writable_ = in.state == IoResult::State::kWantsWritable;
    if (!in.done()) return CloseAfter(in.state);
    OnBytes(buffer, in.bytes);
    taken += in.bytes;
    const bool full = in.bytes == wanted;
    if (flush_requested_ && full)
      EndPart(loop_.counters().messages_received.value() - messages_before);
    if (flush_requested_ || (!full && !io_.HasBuffered())) return;
    if (taken >= kPartBytesMax) part_bytes_ = kPartBytesMax;  // a long body, or an answer
  }
}

void Transport::EndPart(uint64_t messages) {
  more_expected_ = true;
  if (messages < kPartMessagesMin) part_bytes_ = std::min(2 * part_bytes_, kPartBytesMax);
  if (messages > kPartMessagesMax) part_bytes_ = std::max(part_bytes_ / 2, kPartBytesMin);
}

void Transport::CloseAfter(IoResult::State state) {
  if (state == IoResult::State::kEnd) return Close("the peer closed the connection");
  if (state == IoResult::State::kFailed) return Close(io_.Failure());
}

void Transport::FlushSoon() {
  if (closed_ || flush_requested_ || blocked_) return;
  flush_requested_ = true;
  loop_.io().FlushSoon(shared_from_this());
}

void Transport::Flush() {
  flush_requested_ = false;
  if (closed_ || blocked_) return;
  std::string& out = loop_.io().output();
  const bool more = FillOutput(out);
  const size_t written = closed_ ? out.size() : Write(out, 0);
  if (written < out.size() && !closed_) {
    unsent_.clear();
    std::swap(unsent_, out);
    unsent_offset_ = written;
    return AwaitWritable();
  }
  out.clear();
  if (closed_) return;
  if (more) return FlushSoon();
  OnFlushed();
}

void Transport::AwaitWritable() {
  blocked_ = true;
  if (write_wants_readable_) return ContinueReading();
  io_.socket().async_wait(Socket::wait_write,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (!error) self->ContinueWriting();
                          });
}

void Transport::ContinueWriting() {
  if (closed_) return;
  const size_t before = unsent_offset_;
  unsent_offset_ = Write(unsent_, unsent_offset_);
  if (closed_) return;
  if (unsent_offset_ > before) OnTaken();
  if (unsent_offset_ < unsent_.size()) return AwaitWritable();
  std::string().swap(unsent_);
  blocked_ = false;
  FlushSoon();
  ContinueReading();
}

size_t Transport::Write(std::string_view bytes, size_t offset) {
  const bool handshaking = io_.Handshaking();
  while (offset < bytes.size()) {
    const IoResult out = io_.Write(bytes.substr(offset));
    write_wants_readable_ = out.state == IoResult::State::kWantsReadable;
    if (!out.done()) {
      CloseAfter(out.state);
      break;
    }
    offset += out.bytes;
  }
  // The end of a handshake may have been read with more behind it. Not before its end: a part of a
  // record counts as buffered too, and waits for the socket.
  if (handshaking && !io_.Handshaking() && io_.HasBuffered()) {
    drained_ = false;
    ContinueReading();
  }
  return offset;
}

void Transport::Close(std::string_view reason) {
  if (closed_) return;
  closed_ = true;
  if (io_.Handshaking()) loop_.counters().tls_handshakes_failed.Add();
  io_.Close();
  // Whoever hears of the end may drop the last outside reference.
  std::shared_ptr<Transport> self = shared_from_this();
  OnClosed(reason);
}

}  // namespace engram::net::internal
