// Threads for work that would hold up an event loop. Bounded: what does not fit is refused, not
// queued without end.
//
// Submit() from any thread. The destructor runs what was accepted, then joins.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <utility>

namespace engram::server {

class WorkerPool {
 public:
  WorkerPool(int threads, size_t queue_max)
      : queue_max_(queue_max), pool_(static_cast<size_t>(threads)) {}
  ~WorkerPool() { Join(); }
  // Waits until everything that was submitted has been done; nothing may be submitted any more.
  void Join() { pool_.join(); }

  // False: queue_max tasks are waiting or running; `task` is left as it was.
  template <class Task>
  bool Submit(Task&& task) {
    if (waiting_.fetch_add(1) >= queue_max_) {
      waiting_.fetch_sub(1);
      return false;
    }
    boost::asio::post(pool_, [this, task = std::forward<Task>(task)]() mutable {
      task();
      waiting_.fetch_sub(1);
    });
    return true;
  }

 private:
  const size_t queue_max_;
  std::atomic<size_t> waiting_{0};
  boost::asio::thread_pool pool_;
};

}  // namespace engram::server
