#include "engram/net/event_loop.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "engram/net/loop_io.h"

namespace engram::net {

EventLoop::EventLoop() : io_(std::make_unique<internal::LoopIo>(*this)) {
  work_.emplace(context_.get_executor());
}

EventLoop::~EventLoop() {
  Stop();
  io_->Clear();
}

void EventLoop::Start() {
  thread_ = std::thread([this] {
    thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    context_.run();
  });
}

void EventLoop::Stop() {
  stopped_.store(true, std::memory_order_relaxed);
  context_.stop();
  if (!thread_.joinable()) return;
  thread_.join();
  thread_id_.store({}, std::memory_order_relaxed);
}

size_t EventLoop::RunReady() {
  thread_id_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  return context_.poll();
}

void EventLoop::Post(Task task) {
  if (stopped_.load(std::memory_order_relaxed)) return;
  boost::asio::post(context_, std::move(task));
}

bool EventLoop::InLoop() const {
  return thread_id_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

struct EventLoop::Timer::Impl {
  explicit Impl(EventLoop& loop) : timer(loop.context()) {}

  void Disarm() {
    ++shot;
    task = nullptr;
  }

  boost::asio::steady_timer timer;
  Task task;
  uint64_t shot = 0;  // a completion of an earlier shot may be queued already when it is cancelled
};

EventLoop::Timer::Timer(EventLoop& loop) : impl_(std::make_shared<Impl>(loop)) {}

EventLoop::Timer::~Timer() {
  if (impl_ != nullptr) Cancel();
}

EventLoop::Timer::Timer(Timer&&) noexcept = default;

EventLoop::Timer& EventLoop::Timer::operator=(Timer&& other) noexcept {
  if (impl_ != nullptr && this != &other) Cancel();
  impl_ = std::move(other.impl_);
  return *this;
}

void EventLoop::Timer::RunAt(TimePoint when, Task task) {
  impl_->Disarm();
  impl_->task = std::move(task);
  impl_->timer.expires_at(when);
  impl_->timer.async_wait([impl = impl_, shot = impl_->shot](const boost::system::error_code&) {
    if (impl->shot != shot) return;
    Task run = std::move(impl->task);
    impl->Disarm();
    run();
  });
}

void EventLoop::Timer::Cancel() {
  impl_->Disarm();
  impl_->timer.cancel();
}

EventLoopGroup::EventLoopGroup(int count) {
  for (int i = 0; i < count; ++i) loops_.push_back(std::make_unique<EventLoop>());
}

void EventLoopGroup::Start() {
  for (auto& loop : loops_) loop->Start();
}

void EventLoopGroup::Stop() {
  for (auto& loop : loops_) loop->Stop();
}

}  // namespace engram::net
