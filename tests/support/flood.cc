#include "support/flood.h"

#include <future>
#include <utility>

#include "engram/base/error.h"

namespace engram::testing {
namespace {

constexpr int kConnections = 8;
constexpr Duration kTick = std::chrono::milliseconds(2);

double Seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

Flood::Flood(const std::string& address, FloodOptions options) : options_(std::move(options)) {
  loop_.Start();
  OnLoopAndWait([&] {
    for (int i = 0; i < kConnections; ++i) {
      channels_.push_back(net::Channel::Create(loop_, address, {}));
    }
    timer_ = std::make_unique<net::EventLoop::Timer>(loop_);
    start_ = net::EventLoop::Now();
    Tick();
  });
}

Flood::~Flood() {
  OnLoopAndWait([this] {
    timer_.reset();
    for (const auto& channel : channels_) channel->Close();
    channels_.clear();
  });
  loop_.Stop();
}

// Asks what is due by now.
void Flood::Tick() {
  const Duration since = std::min(net::EventLoop::Now() - start_, options_.length);
  const auto due = static_cast<uint64_t>(options_.rate * Seconds(since));
  while (next_ < due) Ask(next_++);
  if (since < options_.length) {
    return timer_->RunAt(net::EventLoop::Now() + kTick, [this] { Tick(); });
  }
  const std::scoped_lock lock(mutex_);
  result_.asked = next_;
  all_asked_ = true;
}

void Flood::Ask(uint64_t number) {
  const TimePoint now = net::EventLoop::Now();
  net::Channel& channel = *channels_[number % channels_.size()];
  channel.Unary("/engram.v1.MemoryService/" + options_.method, {now + options_.timeout, {}},
                options_.request,
                [this, now](const net::CallResult& result) { OnAnswer(now, result); });
}

void Flood::OnAnswer(TimePoint asked_at, const net::CallResult& result) {
  const TimePoint now = net::EventLoop::Now();
  const bool right = result.status.ok() && options_.right(result.message);
  const ErrorDetail detail = DetailOf(result.status);
  const std::scoped_lock lock(mutex_);
  ++answered_;
  if (right) {
    ++result_.right;
    result_.right_in_time += now <= start_ + options_.length ? 1 : 0;
    result_.right_ms.push_back(Seconds(now - asked_at) * 1e3);
  } else if (result.status.ok()) {
    ++result_.wrong;
  } else if (detail.code == ErrorCode::kOverloaded && detail.retry_after > Duration::zero()) {
    ++result_.shed;
  } else {
    ++result_.failures[result.status.ToString()];
  }
}

bool Flood::Ended() const {
  const std::scoped_lock lock(mutex_);
  return all_asked_ && answered_ == result_.asked;
}

FloodResult Flood::result() const {
  const std::scoped_lock lock(mutex_);
  return result_;
}

void Flood::OnLoopAndWait(const std::function<void()>& action) {
  std::promise<void> done;
  loop_.Post([&] {
    action();
    done.set_value();
  });
  done.get_future().wait();
}

}  // namespace engram::testing
