// One thread that runs everything of its connections to completion: sockets, timers, tasks posted
// by others.
//
// EventLoop owns its io_context and, between Start() and Stop(), its thread. Post() and Stop() may
// be called from any thread; everything else, and every call-back of net/, runs on the loop's own
// thread. EventLoopGroup owns one loop per core; all loops outlive whatever is attached to them.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/base/time.h"
#include "engram/net/counters.h"

namespace engram::net {

namespace internal {
class LoopIo;
}

class EventLoop {
 public:
  using Task = absl::AnyInvocable<void()>;

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Starts the thread. REQUIRES: not started.
  void Start();
  // Lets the running task end, then joins the thread. Tasks still queued are destroyed with the
  // loop, not run.
  void Stop();

  // Runs what is ready on the calling thread, which plays the loop's, and returns how much that
  // was. For programs that feed connections themselves, such as fuzzers. REQUIRES: not started.
  size_t RunReady();

  // Any thread. Tasks posted by one thread run in the order they were posted. After Stop() a task
  // is destroyed at once.
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
    std::shared_ptr<Impl>
        impl_;  // shared with the shot under way, which may be queued when the timer dies
  };

  // The clock of everything in net/.
  static TimePoint Now() { return std::chrono::steady_clock::now(); }

  boost::asio::io_context& context() { return context_; }
  // Written on the loop, read by any thread.
  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }
  // Buffers that the connections of this loop share. Loop thread only; for net/ itself.
  internal::LoopIo& io() { return *io_; }

 private:
  Counters counters_;
  // Outlives the context: tasks that are destroyed with it may still mark their connection as
  // having something to send.
  std::unique_ptr<internal::LoopIo> io_;
  boost::asio::io_context context_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_{};
  std::atomic<bool> stopped_{false};
};

class EventLoopGroup {
 public:
  // REQUIRES: count >= 1.
  explicit EventLoopGroup(int count);
  void Start();
  void Stop();
  size_t size() const { return loops_.size(); }
  EventLoop& at(size_t i) { return *loops_[i]; }
  const EventLoop& at(size_t i) const { return *loops_[i]; }

 private:
  std::vector<std::unique_ptr<EventLoop>> loops_;
};

}  // namespace engram::net
