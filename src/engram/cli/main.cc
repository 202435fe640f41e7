// engram: one binary for nodes, local clusters and their users.
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "engram/base/error.h"
#include "engram/cli/command.h"
#include "engram/server/config.h"
#include "engram/server/version.h"

namespace {

using engram::cli::Context;

constexpr char kFooter[] =
    "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 no node reached.\n"
    "Begin with: engram up --nodes 3 --dir /tmp/engram --detach";

void AddCommands(CLI::App& app, Context& context) {
  engram::cli::AddUp(app, context);
  engram::cli::AddDown(app, context);
  engram::cli::AddServe(app, context);
  engram::cli::AddStore(app, context);
  engram::cli::AddRecall(app, context);
  engram::cli::AddGet(app, context);
  engram::cli::AddForget(app, context);
  engram::cli::AddLink(app, context);
  engram::cli::AddConsolidate(app, context);
  engram::cli::AddSpaces(app, context);
  engram::cli::AddNodes(app, context);
  engram::cli::AddStatus(app, context);
  engram::cli::AddRoute(app, context);
  engram::cli::AddMove(app, context);
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

bool IsCommand(const CLI::App& app, const std::string& name) {
  std::vector<std::string> names = CommandNames(app);
  return std::find(names.begin(), names.end(), name) != names.end();
}

int UnknownCommand(const CLI::App& app, const std::string& name) {
  std::vector<std::string> names = CommandNames(app);
  std::string_view nearest = engram::server::NearestName(name, {names.begin(), names.end()});
  fmt::print(stderr, "engram: there is no command '{}'{}\n  engram --help lists the commands\n",
             name, nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest));
  return engram::cli::kWrongUsage;
}

// The command that `argv` begins with; null if it begins with none.
const CLI::App* CommandOf(const CLI::App& app, int argc, char** argv) {
  for (const CLI::App* command : app.get_subcommands({})) {
    if (argc > 1 && command->get_name() == argv[1]) return command;
  }
  return nullptr;
}

// "; did you mean '--space'?" for the first option that the command does not have.
std::string Suggestion(const CLI::App& command, int argc, char** argv) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (int i = 2; i < argc; ++i) {
    std::string given(argv[i]);
    given.resize(std::min(given.find('='), given.size()));
    if (!given.starts_with("--") || given == "--") continue;
    if (std::find(known.begin(), known.end(), given) != known.end()) continue;
    std::string_view nearest = engram::server::NearestName(given, {known.begin(), known.end()});
    return nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest);
  }
  return "";
}

int WrongUsage(Context& context, const CLI::App& app, const CLI::ParseError& error, int argc,
               char** argv) {
  // Whatever came before it, the caller wants JSON.
  context.json = std::find(argv, argv + argc, std::string_view("--json")) != argv + argc;
  const CLI::App* command = CommandOf(app, argc, argv);
  const std::string suggestion = command == nullptr ? "" : Suggestion(*command, argc, argv);
  engram::cli::FailUsage(context, engram::InvalidArgument("", error.what() + suggestion));
  return engram::cli::kWrongUsage;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Engram: a peer-to-peer memory database");
  app.set_version_flag("--version", fmt::format("engram {}", engram::server::kVersion));
  app.footer(kFooter);
  app.require_subcommand(1);
  // Bytes that are no text are refused by the node, with a message of its own.
  google::protobuf::SetLogHandler(nullptr);
  Context context;
  context.program = argv[0];
  AddCommands(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (argc > 1 && argv[1][0] != '-' && !IsCommand(app, argv[1]))
      return UnknownCommand(app, argv[1]);
    // Help and the version come as errors, too. CLI11 has codes of its own; ours are few and
    // documented.
    if (error.get_exit_code() != 0) return WrongUsage(context, app, error, argc, argv);
    app.exit(error);
    return engram::cli::kDone;
  }
  return context.exit_code;
}
