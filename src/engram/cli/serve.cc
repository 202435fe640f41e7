// engram serve: runs one node.
#include <fmt/format.h>

#include "engram/base/error.h"
#include "engram/cli/command.h"
#include "engram/server/config.h"
#include "engram/server/node.h"

namespace engram::cli {
namespace {

struct ServeOptions {
  std::string config_file;
  std::map<std::string, std::vector<std::string>> flags;  // by key
};

// The file first, then the flags.
absl::StatusOr<server::NodeConfig> MakeConfig(const ServeOptions& options) {
  server::NodeConfig config;
  if (!options.config_file.empty()) {
    if (absl::Status status = ApplyConfigFile(options.config_file, config); !status.ok())
      return status;
  }
  for (const server::ConfigKey& key : server::ConfigKeys()) {
    auto given = options.flags.find(std::string(key.name));
    if (given == options.flags.end()) continue;
    if (absl::Status status = ApplyConfigFlags(key, given->second, config); !status.ok())
      return status;
  }
  if (absl::Status status = FinishConfig(config); !status.ok()) return status;
  return config;
}

void Serve(Context& context, const ServeOptions& options) {
  auto config = MakeConfig(options);
  if (!config.ok()) return FailUsage(context, config.status());
  if (absl::Status status = server::ServeUntilSignal(*std::move(config)); !status.ok())
    FailHere(context, status);
}

}  // namespace

void AddServe(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("serve", "run one node until SIGTERM, then finish what is in flight");
  auto options = std::make_shared<ServeOptions>();
  command->add_option("--config", options->config_file,
                      "TOML file; each option below is also a key of it");
  const server::NodeConfig defaults;
  for (const server::ConfigKey& key : server::ConfigKeys()) {
    std::string shown = key.show(defaults);
    std::string help =
        shown.empty() ? std::string(key.help) : fmt::format("{} [{}]", key.help, shown);
    CLI::Option* option = command->add_option(fmt::format("--{}", key.name),
                                              options->flags[std::string(key.name)], help);
    option->allow_extra_args(false);
    if (!key.list()) option->expected(1)->take_last();
  }
  command->footer(
      "A cluster of its own: engram serve --data-dir ./node-1\n"
      "One more node:        engram serve --node-id node-2 --data-dir ./node-2 \\\n"
      "                        --listen 10.0.0.2:50051 --seeds 10.0.0.1:50051\n"
      "With TLS: engram serve --listen 10.0.0.1:50051 --tls-cert node.pem --tls-key node.key "
      "--tls-ca ca.pem\n"
      "Example file: node-id = \"node-2\"\n"
      "              seeds = [\"10.0.0.1:50051\"]");
  command->callback([&context, options] { Serve(context, *options); });
}

}  // namespace engram::cli
