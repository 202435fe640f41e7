#include "engram/net/h2_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engram/base/error.h"
#include "engram/net/gzip.h"
#include "engram/net/h2_connection.h"

namespace engram::net::internal {

H2Stream::H2Stream(EventLoop& loop, StreamLimits limits)
    : loop_(loop),
      queue_bytes_max_(limits.queue_bytes_max),
      bytes_held_max_(limits.bytes_held_max),
      reader_(limits.message_bytes_max) {}

void H2Stream::Attach(H2Connection& connection, int32_t id) {
  connection_ = &connection;
  id_ = id;
  self_ = shared_from_this();
  Account();
}

void H2Stream::Detach() {
  if (connection_ == nullptr) return;
  if (unacknowledged_bytes_ > 0) {
    // The stream's window is gone with it; the connection's must not leak.
    connection_->AcknowledgeConnection(std::exchange(unacknowledged_bytes_, 0));
  }
  Abandon();
}

void H2Stream::Abandon() {
  AccountFor(0);
  connection_ = nullptr;
  loop_.counters().streams_ended.Add();
  unlink();
  self_.reset();  // may destroy this
}

void H2Stream::Account() {
  if (connection_ == nullptr) return;  // what is left of a closed stream is its handler's
  AccountFor(reader_.held_bytes() + unread_bytes_ + queue_.unsent());
}

void H2Stream::AccountFor(size_t held) {
  connection_->AddBytesHeld(held, accounted_bytes_);
  loop_.counters().bytes_held.Add(static_cast<int64_t>(held) -
                                  static_cast<int64_t>(accounted_bytes_));
  accounted_bytes_ = held;
}

bool H2Stream::OverBudget() const {
  if (accounted_bytes_ < budget_floor_) return false;
  // One connection cannot have all of it: answers that it does not take would shut out the others.
  const size_t share = std::max(bytes_held_max_ / 4, reader_.message_bytes_max());
  if (connection_ != nullptr && connection_->bytes_held() > share) return true;
  return std::cmp_greater(loop_.counters().bytes_held.value(), bytes_held_max_);
}

// ---- sending

void H2Stream::Enqueue(std::string message) {
  queue_.Push(std::move(message));
  Account();
}

std::string H2Stream::TakeSent() {
  std::string sent = queue_.TakeLast();
  Account();
  return sent;
}

void H2Stream::DiscardUnsent() {
  queue_.Clear();
  Account();
}

bool H2Stream::Send(std::string message) {
  if (discarding_ || send_ended_) return true;  // dropped silently
  Enqueue(std::move(message));
  Resume();
  return queue_.unsent() <= queue_bytes_max_;
}

void H2Stream::OnWritable(Callback callback) {
  on_writable_ = std::move(callback);
  if (queue_.unsent() <= queue_bytes_max_) TellWritableSoon();
}

void H2Stream::TellWritableSoon() {
  if (std::exchange(writable_posted_, true)) return;
  loop_.Post([self = shared_from_this()] {
    self->writable_posted_ = false;
    if (self->queue_.unsent() > self->queue_bytes_max_) return;
    if (self->on_writable_) std::exchange(self->on_writable_, nullptr)();
  });
}

void H2Stream::EndSend() { send_ended_ = true; }

void H2Stream::Resume() {
  if (connection_ == nullptr || !deferred_) return;
  deferred_ = false;
  connection_->ResumeData(id_);
}

H2Stream::Source H2Stream::NextData(size_t bytes_max) {
  const size_t bytes = std::min(bytes_max, queue_.unsent());
  const bool end = send_ended_ && bytes == queue_.unsent();
  deferred_ = bytes == 0 && !end;
  sent_all_ = end;
  return {bytes, deferred_, end};
}

void H2Stream::CopyData(std::string& out, size_t bytes) {
  const size_t messages = queue_.CopyTo(out, bytes);
  loop_.counters().messages_sent.Add(messages);
  loop_.counters().message_bytes_sent.Add(bytes);
  Account();
  // Posted: we are inside nghttp2's sending, and the handler will want to send.
  if (on_writable_ && queue_.unsent() <= queue_bytes_max_ / 2) TellWritableSoon();
}

// ---- receiving

void H2Stream::OnData(std::span<const uint8_t> bytes) {
  unacknowledged_bytes_ += bytes.size();
  while (!bytes.empty() && !discarding_) {
    if (reader_.state() == MessageReader::State::kComplete) {
      FailMessage(InvalidArgument("message", "a unary call carries one message only"));
      break;
    }
    const size_t used = reader_.Feed(bytes);
    loop_.counters().message_bytes_received.Add(used);
    bytes = bytes.subspan(used);
    if (reader_.failed()) {
      FailMessage(DescribeBadMessage());
    } else if (reader_.state() == MessageReader::State::kComplete) {
      TakeMessage();
    }
  }
  Account();
  if (!discarding_ && OverBudget()) RefuseForBudget();
  Deliver();
}

void H2Stream::RefuseForBudget() {
  Discard();
  // After its bytes are free: who sees the count sees no more held than may be.
  loop_.counters().messages_over_budget.Add();
  OnBadMessage(MakeError(ErrorCode::kOverloaded,
                         "this node holds as many bytes of messages as it may; try again later"));
}

void H2Stream::TakeMessage() {
  loop_.counters().messages_received.Add();
  if (kind_ == Kind::kUnary) return;  // stays in the reader until the end of input
  unread_bytes_ += reader_.partial_bytes();
  unread_.push_back({reader_.Take(), reader_.compressed()});
}

std::optional<std::string> H2Stream::TakeUnary() {
  std::string message = reader_.Take();
  Account();
  if (reader_.compressed() && !Inflate(message)) return std::nullopt;
  return message;
}

bool H2Stream::Inflate(std::string& message) {
  absl::StatusOr<std::string> inflated = Gunzip(message, reader_.message_bytes_max());
  if (!inflated.ok()) {
    FailMessage(std::move(inflated).status());
    return false;
  }
  loop_.counters().messages_inflated.Add();
  loop_.counters().message_bytes_inflated.Add(inflated->size());
  message = *std::move(inflated);
  return true;
}

absl::Status H2Stream::DescribeBadMessage() const {
  if (reader_.state() == MessageReader::State::kTooLarge) {
    return InvalidArgument(
        "message", fmt::format("the message has {} bytes, the limit is {}", reader_.announced(),
                               reader_.message_bytes_max()));
  }
  if (reader_.state() == MessageReader::State::kBadFlag) {
    return MakeError(ErrorCode::kInternal, "the message's flag is neither 0 nor 1");
  }
  return MakeError(ErrorCode::kInternal, "the message is compressed, but no encoding was agreed");
}

void H2Stream::FailMessage(absl::Status status) {
  loop_.counters().messages_refused.Add();
  Discard();
  OnBadMessage(std::move(status));
}

void H2Stream::OnInputEnd() {
  if (input_ended_) return;
  input_ended_ = true;
  if (!discarding_ && !reader_.at_boundary() &&
      reader_.state() != MessageReader::State::kComplete) {
    return FailMessage(InvalidArgument("message", "the stream ends within a message"));
  }
  const std::shared_ptr<H2Stream> self = shared_from_this();
  OnMessagesEnd();
  if (kind_ == Kind::kStreaming) Deliver();
}

void H2Stream::Read(ReadDone done) {
  read_done_ = std::move(done);
  if (discarding_) return;  // it gets its nullopt when the call ends
  // From within a call-back of Deliver() its loop goes on; elsewhere the caller must not be called
  // back at once.
  if (!delivering_) DeliverSoon();
}

void H2Stream::DeliverSoon() {
  if (unread_.empty() && !input_ended_) return Acknowledge();
  loop_.Post([self = shared_from_this()] { self->Deliver(); });
}

void H2Stream::Deliver() {
  if (delivering_) return;
  if (!unread_.empty() || input_ended_) {
    const std::shared_ptr<H2Stream> self = shared_from_this();
    delivering_ = true;
    while (read_done_ && !unread_.empty()) {
      if (!DeliverOne() || unread_.empty()) continue;
      DeliverSoon();  // inflating is work, and the loop has other calls
      break;
    }
    if (read_done_ && unread_.empty() && input_ended_) EndRead();
    delivering_ = false;
    if (unread_.empty()) OnDelivered();
  }
  Acknowledge();
}

bool H2Stream::DeliverOne() {
  auto [message, compressed] = std::move(unread_.front());
  unread_.pop_front();
  unread_bytes_ -= kMessagePrefixBytes + message.size();
  if (compressed && !Inflate(message)) return true;
  std::exchange(read_done_, nullptr)(std::move(message));
  return compressed;
}

void H2Stream::EndRead() {
  if (read_done_) std::exchange(read_done_, nullptr)(std::nullopt);
}

void H2Stream::EndReadSoon(ReadDone done) {
  read_done_ = std::move(done);
  loop_.Post([self = shared_from_this()] { self->EndRead(); });
}

void H2Stream::Acknowledge() {
  Account();
  if (connection_ == nullptr || unacknowledged_bytes_ == 0) return;
  size_t keep = 0;
  if (kind_ == Kind::kStreaming && !discarding_) {
    keep = unread_bytes_ + (read_done_ ? 0 : reader_.partial_bytes());
  }
  if (keep >= unacknowledged_bytes_) return;
  connection_->Acknowledge(id_, unacknowledged_bytes_ - keep);
  unacknowledged_bytes_ = keep;
}

void H2Stream::Discard() {
  discarding_ = true;
  reader_.Drop();
  unread_.clear();
  unread_bytes_ = 0;
  Acknowledge();
}

void H2Stream::DropCallbacks() {
  // Destroying a call-back may end the very call it belongs to, and with it this object's owner.
  ReadDone read = std::exchange(read_done_, nullptr);
  Callback writable = std::exchange(on_writable_, nullptr);
}

}  // namespace engram::net::internal
