// Clients that store, edit, delete and read, and record everything (support/history.h). Each is a
// thread with an entry node of its own and random numbers from a seed; a write without a clear end
// is mostly asked for again, under its request id, through other nodes.
//
// Used on one thread; `asker` and `record` outlive it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "chaos/asker.h"
#include "chaos/recorder.h"
#include "support/history.h"

namespace engram::testing {

struct LoadOptions {
  uint64_t seed = 0;
  size_t clients = 10;
  std::vector<SpaceId> spaces;
  size_t memories = 60;  // of each space, which are edited, deleted and read again and again
  Duration pause = std::chrono::milliseconds(20);  // mean, of a client between two operations
};

class Load {
 public:
  // Begins at once.
  Load(const LoadOptions& options, Asker& asker, Recorder& record);
  ~Load() { Stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Returns when everything that was asked is answered.
  void Stop();

 private:
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> clients_;  // last: they use the others
};

}  // namespace engram::testing
