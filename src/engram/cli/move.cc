// engram move: a planned change of who is primary of a space.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "engram/cli/command.h"

namespace engram::cli {
namespace {

struct MoveOptions {
  std::string space;
  std::string primary;
};

void Move(Context& context, const MoveOptions& options) {
  v1::MoveSpaceRequest request;
  request.set_space(options.space);
  request.set_primary(options.primary);
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->MoveSpace(request);
  if (!answer.ok()) return Fail(context, answer.status());
  if (context.json) {
    return PrintJson(
        {{"space", options.space}, {"primary", options.primary}, {"served_by", answer->served_by}});
  }
  fmt::print("{} is primary of {}\n", options.primary, options.space);
}

}  // namespace

void AddMove(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand(
      "move", "make another of its holders the primary of a space, without losing a request");
  auto options = std::make_shared<MoveOptions>();
  command->add_option("SPACE", options->space, "name of the space")->required();
  command->add_option("--primary", options->primary, "id of the node, one that holds the space")
      ->required();
  AddClientOptions(*command, context);
  command->footer("Example: engram move notes --primary node-2");
  command->callback([&context, options] { Move(context, *options); });
}

}  // namespace engram::cli
