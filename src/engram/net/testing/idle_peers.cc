#include "engram/net/testing/idle_peers.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace engram::net::testing {

IdlePeers::IdlePeers(const std::string& program, uint16_t port, size_t count) {
  std::array<int, 2> told{};
  std::array<int, 2> end{};
  if (::pipe2(told.data(), O_CLOEXEC) != 0 || ::pipe2(end.data(), O_CLOEXEC) != 0) std::abort();
  told_ = told[0];
  end_ = end[1];
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, end[0], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, told[1], STDOUT_FILENO);
  std::string name = program;
  std::string to = std::to_string(port);
  std::string times = std::to_string(count);
  std::array<char*, 4> arguments{name.data(), to.data(), times.data(), nullptr};
  if (::posix_spawn(&pid_, name.c_str(), &actions, nullptr, arguments.data(), environ) != 0) {
    pid_ = -1;
  }
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(told[1]);
  ::close(end[0]);
}

IdlePeers::~IdlePeers() {
  ::close(end_);
  ::close(told_);
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
}

bool IdlePeers::AwaitSettled() {
  char byte = 0;
  return ::read(told_, &byte, 1) == 1;
}

}  // namespace engram::net::testing
