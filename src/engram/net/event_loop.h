// One thread that runs everything of its connections to completion: sockets, timers, tasks posted by others.
//
// EventLoop owns its io_context and, between Start() and Stop(), its thread. Post() and Stop() may be called from any thread;
// everything else, and every call-back of net/, runs on the loop's own thread. EventLoopGroup owns one loop per core; all
// loops outlive whatever is attached to them.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/base/time.h"

namespace engram::net {

class EventLoop {
 public:
  using Task = absl::AnyInvocable<void()>;

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Starts the thread. REQUIRES: not started.
  void Start();
  // Lets the running task end, then joins the thread. Tasks still queued are destroyed with the loop, not run.
  void Stop();

  // Any thread. Tasks posted by one thread run in the order they were posted.
  void Post(Task task);

  bool InLoop() const;

  // A one-shot timer; destroying or re-arming it cancels the earlier shot. Loop thread only.
  class Timer {
   public:
    explicit Timer(EventLoop& loop);
    ~Timer();
    Timer(Timer&&) noexcept;
    Timer& operator=(Timer&&) noexcept;
    void RunAt(TimePoint when, Task task);
    void Cancel();

   private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };

  boost::asio::io_context& context() { return context_; }

 private:
  boost::asio::io_context context_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_{};
};

class EventLoopGroup {
 public:
  // REQUIRES: count >= 1.
  explicit EventLoopGroup(int count);
  void Start();
  void Stop();
  size_t size() const { return loops_.size(); }
  EventLoop& at(size_t i) { return *loops_[i]; }

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
};

}  // namespace engram::net
