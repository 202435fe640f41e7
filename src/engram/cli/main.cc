// engram: one binary for nodes, local clusters and their users.
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>

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
  engram::cli::AddSpaces(app, context);
  engram::cli::AddNodes(app, context);
  engram::cli::AddStatus(app, context);
  engram::cli::AddRoute(app, context);
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
    // CLI11 has codes of its own; ours are few and documented.
    return app.exit(error) == 0 ? engram::cli::kDone : engram::cli::kWrongUsage;
  }
  return context.exit_code;
}
