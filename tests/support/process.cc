#include "support/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

#include "engram/storage/testing/temp_dir.h"

namespace engram::testing {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(5);

std::vector<char*> ArgvOf(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

pid_t Spawn(const std::vector<std::string>& argv, const std::string& in, const std::string& out,
            const std::string& err) {
  std::vector<char*> pointers = ArgvOf(argv);
  const pid_t parent = getpid();
  pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the kernel was told
  dup2(open(in.c_str(), O_RDONLY), STDIN_FILENO);
  dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644), STDOUT_FILENO);
  dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644), STDERR_FILENO);
  execv(pointers[0], pointers.data());
  _exit(127);
}

}  // namespace

Process::Process(const std::vector<std::string>& argv, const std::filesystem::path& log)
    : pid_(Spawn(argv, "/dev/null", log.string(), log.string())) {}

Process::~Process() {
  if (exit_code_.has_value()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::Signal(int signal) const {
  if (!exit_code_.has_value()) kill(pid_, signal);
}

bool Process::Running() {
  int status = 0;
  if (exit_code_.has_value()) return false;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

std::string Process::HowItEnded() const {
  if (*exit_code_ <= 128) return fmt::format("exit code {}", *exit_code_);
  return fmt::format("signal {} ({})", *exit_code_ - 128, strsignal(*exit_code_ - 128));
}

void Process::Stop() const {
  Signal(SIGSTOP);
  siginfo_t info{};
  EXPECT_TRUE(Eventually([&] {
    waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WNOWAIT | WNOHANG);
    return info.si_pid == pid_;
  }));
}

std::optional<int> Process::Wait(std::chrono::seconds limit) {
  Eventually([this] { return !Running(); }, limit);
  return exit_code_;
}

CommandResult RunCommand(const std::vector<std::string>& argv, const std::string& input) {
  storage::TempDir dir;
  const std::filesystem::path& base = dir.path();
  std::ofstream(base / "in") << input;
  pid_t child = Spawn(argv, base / "in", base / "out", base / "err");
  int status = 0;
  bool ended = Eventually([&] { return waitpid(child, &status, WNOHANG) == child; });
  if (!ended) {
    ADD_FAILURE() << argv[0] << " " << argv[1] << " hangs";
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadAll(base / "out"),
          ReadAll(base / "err")};
}

std::string ReadAll(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool Eventually(const std::function<bool()>& condition, std::chrono::seconds limit) {
  auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

}  // namespace engram::testing
