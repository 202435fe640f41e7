// A server and channels on running loops, for tests that live on a thread of their own and may
// block.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engram/net/channel.h"
#include "engram/net/event_loop.h"
#include "engram/net/server.h"
#include "engram/net/testing/echo.h"

namespace engram::net::testing {

inline constexpr Duration kPatience = std::chrono::seconds(20);

inline TimePoint In(Duration d) { return EventLoop::Now() + d; }

// Asks again and again until it is true; false when kPatience is over.
inline bool Eventually(const std::function<bool()>& condition) {
  for (const TimePoint end = In(kPatience); EventLoop::Now() < end; std::this_thread::yield()) {
    if (condition()) return true;
  }
  return false;
}

// Runs `f` on the loop and waits for its result.
template <class F>
auto RunOn(EventLoop& loop, F f) {
  std::promise<decltype(f())> promise;
  auto future = promise.get_future();
  loop.Post([&] {
    if constexpr (std::is_void_v<decltype(f())>) {
      f();
      promise.set_value();
    } else {
      promise.set_value(f());
    }
  });
  return future.get();
}

// The end of a call, when it comes.
class PendingCall {
 public:
  PendingCall() : future_(promise_->get_future()) {}
  Channel::Done Done() {
    return [promise = promise_](CallResult result) { promise->set_value(std::move(result)); };
  }
  bool ended() const {
    return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  CallResult Wait() {
    if (future_.wait_for(kPatience) != std::future_status::ready) {
      ADD_FAILURE() << "the call did not end";
      std::abort();
    }
    return future_.get();
  }

 private:
  std::shared_ptr<std::promise<CallResult>> promise_ = std::make_shared<std::promise<CallResult>>();
  std::future<CallResult> future_;
};

class NetTest : public ::testing::Test {
 protected:
  explicit NetTest(int loop_count = 1) : loops_(loop_count) { loops_.Start(); }
  ~NetTest() override { Stop(); }

  void Stop() {
    if (channel_ != nullptr) RunOn(loop(), [&] { channel_.reset(); });
    server_.reset();
    loops_.Stop();
  }

  EventLoop& loop() { return loops_.at(0); }
  uint64_t Count(Counter Counters::*counter) {
    uint64_t sum = 0;
    for (size_t i = 0; i < loops_.size(); ++i) sum += (loops_.at(i).counters().*counter).value();
    return sum;
  }

  // `add` adds methods to those of echo.h.
  void StartServer(const ServerOptions& options = {},
                   const std::function<void(Server&)>& add = {}) {
    server_ = std::make_unique<Server>(loops_, options);
    AddEchoMethods(*server_);
    if (add) add(*server_);
    const absl::Status status = server_->Start();
    ASSERT_TRUE(status.ok()) << std::string(status.message());
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(server_->port()); }

  Channel& channel() {
    if (channel_ == nullptr) channel_ = Channel::Create(loop(), address(), {});
    return *channel_;
  }
  void UseChannel(const std::string& address, const ChannelOptions& options = {}) {
    channel_ = Channel::Create(loop(), address, options);
  }

  PendingCall Begin(std::string_view method, std::string request, CallOptions options = {},
                    Channel::CallHandle* handle = nullptr) {
    PendingCall call;
    Channel& c = channel();
    RunOn(loop(), [&] {
      auto h = c.Unary(method, std::move(options), std::move(request), call.Done());
      if (handle != nullptr) *handle = std::move(h);
    });
    return call;
  }
  CallResult Call(std::string_view method, std::string request, CallOptions options = {}) {
    return Begin(method, std::move(request), std::move(options)).Wait();
  }
  static CallOptions With(std::string_view name, std::string_view value) {
    CallOptions options;
    options.metadata.Add(name, value);
    return options;
  }
  static CallOptions Within(Duration d) {
    CallOptions options;
    options.deadline = In(d);
    return options;
  }

  EventLoopGroup loops_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Channel> channel_;
};

}  // namespace engram::net::testing
