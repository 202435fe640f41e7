#include "engram/cli/local_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "engram/base/error.h"
#include "engram/client/client.h"

namespace engram::cli {
namespace {

namespace fs = std::filesystem;

constexpr Duration kPollInterval = std::chrono::milliseconds(20);

TimePoint Now() { return std::chrono::steady_clock::now(); }

absl::Status SystemError(const char* call) {
  return MakeError(ErrorCode::kInternal, fmt::format("{} failed: {}", call, std::strerror(errno)));
}

v1::ResolveRouteRequest AnyRoute() {
  v1::ResolveRouteRequest request;
  request.set_space("any");
  return request;
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void ExecNode(const char* config, const char* log, Attachment attachment,
                           pid_t parent) {
  if (attachment == Attachment::kDetached) {
    setsid();
  } else {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    // Ctrl-C in the terminal is for `up`, which then stops the nodes in order.
    setpgid(0, 0);
  }
  int in = open("/dev/null", O_RDONLY);
  int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  execl("/proc/self/exe", "engram", "serve", "--config", config, static_cast<char*>(nullptr));
  _exit(127);
}

// Returns when the child runs the program (or has failed to): only then can it be told by its
// command line.
absl::Status StartNode(const ClusterSpec& spec, int i, Attachment attachment) {
  fs::path dir = spec.NodeDir(i);
  std::string config = (dir / "engram.toml").string();
  std::string log = (dir / "log").string();
  int closed_by_exec[2];
  if (pipe2(closed_by_exec, O_CLOEXEC) != 0) return SystemError("pipe");
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) ExecNode(config.c_str(), log.c_str(), attachment, parent);
  close(closed_by_exec[1]);
  char byte;
  bool interrupted = true;
  while (child > 0 && interrupted)
    interrupted = read(closed_by_exec[0], &byte, 1) < 0 && errno == EINTR;
  close(closed_by_exec[0]);
  if (child < 0) return SystemError("fork");
  return WriteFile(dir / "pid", fmt::format("{}\n", child));
}

std::string LogTail(const ClusterSpec& spec, int i) {
  std::string log = ReadFile(spec.NodeDir(i) / "log");
  constexpr size_t kShown = 600;
  return log.size() > kShown ? log.substr(log.size() - kShown) : log;
}

// True if it ended by itself (port in use, corrupt data...): then waiting is of no use. Reaps it if
// it is our child.
bool HasEnded(const ClusterSpec& spec, int i) {
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return !RunningNode(spec, i).has_value();
}

}  // namespace

absl::Status StartNodes(const ClusterSpec& spec, Attachment attachment) {
  for (int i = 0; i < spec.nodes; ++i) {
    if (std::optional<pid_t> running = RunningNode(spec, i)) {
      return InvalidArgument(
          "dir", fmt::format("{} of {} runs already (process {}); `engram down --dir {}` stops it",
                             spec.NodeName(i), spec.dir.string(), *running, spec.dir.string()));
    }
  }
  for (int i = 0; i < spec.nodes; ++i) {
    if (absl::Status status = StartNode(spec, i, attachment); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status AwaitReady(const ClusterSpec& spec, TimePoint deadline) {
  for (int i = 0; i < spec.nodes; ++i) {
    client::ClientOptions options;
    options.nodes = {spec.NodeAddress(i)};
    options.timeout = std::chrono::seconds(2);
    auto client = client::Client::Create(options);
    if (!client.ok()) return client.status();
    while (!(*client)->ResolveRoute(AnyRoute()).ok()) {
      if (HasEnded(spec, i)) {
        return MakeError(ErrorCode::kConnectionFailed,
                         fmt::format("{} ended at once; the end of its log:\n{}", spec.NodeName(i),
                                     LogTail(spec, i)));
      }
      if (Now() >= deadline) {
        return MakeError(ErrorCode::kConnectionFailed,
                         fmt::format("{} does not answer; the end of its log:\n{}",
                                     spec.NodeName(i), LogTail(spec, i)));
      }
      std::this_thread::sleep_for(kPollInterval);
    }
  }
  return absl::OkStatus();
}

std::optional<pid_t> RunningNode(const ClusterSpec& spec, int i) {
  fs::path dir = spec.NodeDir(i);
  pid_t pid = static_cast<pid_t>(std::atoi(ReadFile(dir / "pid").c_str()));
  if (pid <= 0) return std::nullopt;
  // Process ids are used again: only a process that was started with this configuration is ours.
  std::string command = ReadFile(fmt::format("/proc/{}/cmdline", pid));
  if (command.find((dir / "engram.toml").string()) == std::string::npos) return std::nullopt;
  return pid;
}

int StopNodes(const ClusterSpec& spec, TimePoint deadline) {
  int stopped = 0;
  for (int i = 0; i < spec.nodes; ++i) {
    if (std::optional<pid_t> pid = RunningNode(spec, i);
        pid.has_value() && kill(*pid, SIGTERM) == 0)
      ++stopped;
  }
  for (int i = 0; i < spec.nodes; ++i) {
    while (!HasEnded(spec, i)) {
      std::optional<pid_t> pid = RunningNode(spec, i);
      if (pid.has_value() && Now() >= deadline) kill(*pid, SIGKILL);
      std::this_thread::sleep_for(kPollInterval);
    }
    std::error_code ignored;
    fs::remove(spec.NodeDir(i) / "pid", ignored);
  }
  return stopped;
}

}  // namespace engram::cli
