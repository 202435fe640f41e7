// engram store: one memory from the command line, or many from JSON lines.
#include <fmt/format.h>

#include "engram/base/error.h"
#include "engram/cli/command.h"
#include "engram/cli/embedding_file.h"
#include "engram/cli/store_from.h"

namespace engram::cli {
namespace {

struct StoreOptions {
  std::string space;
  std::string text;
  std::string id;
  std::vector<std::string> tags;
  std::vector<std::string> metadata;
  std::string kind;
  double confidence = 1.0;
  std::string embedding_file;
  StoreFromOptions from;
};

absl::StatusOr<v1::StoreRequest> ToRequest(const StoreOptions& options, bool has_confidence) {
  v1::StoreRequest request;
  request.set_space(options.space);
  request.set_id(options.id);
  request.set_content(options.text);
  for (const std::string& tag : options.tags) request.add_tags(tag);
  if (absl::Status status = ParseMetadata(options.metadata, request.mutable_metadata());
      !status.ok())
    return status;
  if (has_confidence) request.set_confidence(options.confidence);
  request.set_kind(ParseKind(options.kind));
  if (!options.embedding_file.empty()) {
    auto embedding = ReadEmbedding(options.embedding_file);
    if (!embedding.ok()) return embedding.status();
    request.mutable_embedding()->Add(embedding->begin(), embedding->end());
  }
  return request;
}

void StoreOne(Context& context, const StoreOptions& options, bool has_confidence) {
  auto request = ToRequest(options, has_confidence);
  if (!request.ok()) return FailUsage(context, request.status());
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->Store(*request, BeginWrite(context));
  if (!answer.ok()) return Fail(context, answer.status());
  const v1::StoreResponse& stored = answer->message;
  if (!context.json) {
    fmt::print("{} {} in {} (version {}, by {})\n", stored.created() ? "stored" : "replaced",
               stored.id(), stored.space(), SessionText(stored.version()), answer->served_by);
    return PrintRoute(answer->route);
  }
  Json json = {{"id", stored.id()},
               {"space", stored.space()},
               {"version", VersionJson(stored.version())},
               {"session", SessionText(stored.version())},
               {"served_by", answer->served_by},
               {"degraded", answer->degraded},
               {"created", stored.created()}};
  AppendRoute(context, answer->route, json);
  PrintJson(json);
}

constexpr char kFooter[] =
    "A line of --from (only content is needed where --space is given):\n"
    "  {\"space\":\"notes\",\"content\":\"tea is at four\",\"id\":\"tea\",\"tags\":[\"home\"],\n"
    "   "
    "\"metadata\":{\"by\":\"ann\"},\"kind\":\"semantic\",\"confidence\":0.9,\"embedding\":[0.1,0.2]"
    ",\n"
    "   "
    "\"links\":[{\"to\":\"other-id\",\"weight\":0.5}],\"occurred_at\":\"2026-01-31T12:00:00Z\"}\n"
    "A store with the id of an existing memory replaces all of it, links and embedding too.\n"
    "Example: engram store --space notes --tag home \"tea is at four\"";

// The options that describe one memory; they make no sense with --from, whose lines describe
// themselves.
std::vector<CLI::Option*> AddOptionsOfOne(CLI::App& command, StoreOptions& options) {
  return {
      command.add_option("TEXT", options.text, "the memory"),
      command.add_option("--id", options.id,
                         "its id; an existing memory of that id is replaced; default: a new ULID"),
      command.add_option("--tag", options.tags, "a tag; repeatable")->allow_extra_args(false),
      command.add_option("--meta", options.metadata, "KEY=VALUE; repeatable")
          ->allow_extra_args(false),
      command.add_option("--kind", options.kind, "episodic (default) or semantic")
          ->check(CLI::IsMember({"episodic", "semantic"})),
      command.add_option("--confidence", options.confidence, "0 to 1; default 1"),
      command.add_option("--embedding", options.embedding_file,
                         "file with the embedding's numbers"),
  };
}

CLI::Option* AddFrom(CLI::App& command, StoreFromOptions& options) {
  command.add_option("--progress", options.progress, "auto (on a terminal), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  return command.add_option(
      "--from", options.file,
      "a file of JSON lines, or - for standard input; sent in batches, each within --timeout");
}

void Run(Context& context, const CLI::App& command, StoreOptions& options) {
  if (command.count("--from") > 0) {
    options.from.default_space = options.space;
    return StoreFrom(context, options.from);
  }
  if (command.count("TEXT") == 0 || options.space.empty()) {
    return FailUsage(context,
                     InvalidArgument("TEXT", "store needs --space and TEXT, or --from FILE"));
  }
  if (command.count("--id") > 0 && options.id.empty()) {
    return FailUsage(context,
                     InvalidArgument("id", "--id must not be empty; leave it out for a new one"));
  }
  StoreOne(context, options, command.count("--confidence") > 0);
}

}  // namespace

void AddStore(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("store", "store a memory, or many from a file of JSON lines");
  auto options = std::make_shared<StoreOptions>();
  command->add_option(
      "--space", options->space,
      "space to store into, made at its first memory ([a-z0-9._-]); with --from: of "
      "the lines that name none");
  std::vector<CLI::Option*> of_one = AddOptionsOfOne(*command, *options);
  CLI::Option* from = AddFrom(*command, options->from);
  AddClientOptions(*command, context);
  AddExplain(*command, context);
  AddRequestId(*command, context);
  AddAck(*command, context);
  of_one.push_back(command->get_option("--explain"));
  of_one.push_back(command->get_option("--request-id"));
  for (CLI::Option* option : of_one) from->excludes(option);
  command->footer(kFooter);
  command->callback([&context, command, options] { Run(context, *command, *options); });
}

}  // namespace engram::cli
