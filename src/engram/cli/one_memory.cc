// engram get, forget, link: what names memories by their id.
#include <fmt/format.h>

#include <cstdio>

#include "engram/cli/command.h"

namespace engram::cli {
namespace {

struct Named {
  std::string space;
  std::string id;
};

template <class Repeated>
Json Strings(const Repeated& strings) {
  Json json = Json::array();
  for (const std::string& s : strings) json.push_back(s);
  return json;
}

Json MemoryJson(const client::Answer<v1::GetResponse>& answer) {
  const v1::GetResponse& memory = answer.message;
  Json metadata = Json::object();
  for (const auto& [key, value] : memory.metadata()) metadata[key] = value;
  Json links = Json::array();
  for (const v1::LinkTarget& link : memory.links())
    links.push_back({{"to", link.to()}, {"weight", link.weight()}});
  Json siblings = Json::array();
  for (const v1::Sibling& sibling : memory.siblings()) {
    siblings.push_back(
        {{"content", sibling.content()}, {"version", VersionJson(sibling.version())}});
  }
  return {{"id", memory.id()},
          {"space", memory.space()},
          {"content", memory.content()},
          {"tags", Strings(memory.tags())},
          {"metadata", metadata},
          {"links", links},
          {"siblings", siblings},
          {"version", VersionJson(memory.version())},
          {"served_by", answer.served_by},
          {"degraded", answer.degraded},
          {"session", answer.session.empty() ? SessionText(memory.version()) : answer.session},
          {"staleness_ms", memory.staleness_ms()},
          {"confidence", memory.confidence()},
          {"kind", KindName(memory.kind())},
          {"occurred_at", TimeText(memory.occurred_at())},
          {"updated_at", TimeText(memory.updated_at())},
          {"embedding", std::vector<float>(memory.embedding().begin(), memory.embedding().end())}};
}

void PrintMemory(const client::Answer<v1::GetResponse>& answer) {
  const v1::GetResponse& memory = answer.message;
  fmt::print("{}\n", Printable(memory.content()));
  fmt::print("  id {} in {}, confidence {:.2f}, occurred {}\n", memory.id(), memory.space(),
             memory.confidence(), TimeText(memory.occurred_at()));
  if (memory.tags_size() > 0) fmt::print("  tags: {}\n", fmt::join(memory.tags(), ", "));
  for (const auto& [key, value] : memory.metadata()) fmt::print("  {}: {}\n", key, value);
  for (const v1::LinkTarget& link : memory.links())
    fmt::print("  -> {} ({:.2f})\n", link.to(), link.weight());
  for (const v1::Sibling& sibling : memory.siblings())
    fmt::print("  also: {}\n", sibling.content());
  std::fflush(stdout);
  fmt::print(stderr, "served by {}{}{}\n", answer.served_by, BehindText(memory.staleness_ms()),
             answer.degraded ? ", DEGRADED: it may lack what others have" : "");
}

void Get(Context& context, const Named& named) {
  v1::GetRequest request;
  request.set_space(named.space);
  request.set_id(named.id);
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->Get(request, BeginRead(context));
  if (!answer.ok()) return Fail(context, answer.status());
  if (!context.json) {
    PrintMemory(*answer);
    return PrintRoute(answer->route);
  }
  Json json = MemoryJson(*answer);
  AppendRoute(context, answer->route, json);
  PrintJson(json);
}

void Forget(Context& context, const Named& named) {
  v1::ForgetRequest request;
  request.set_space(named.space);
  request.set_id(named.id);
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->Forget(request, BeginWrite(context));
  if (!answer.ok()) return Fail(context, answer.status());
  if (!context.json) {
    fmt::print("forgot {} in {} (version {}, by {})\n", named.id, named.space,
               SessionText(answer->message.version()), answer->served_by);
    return PrintRoute(answer->route);
  }
  Json json = {{"id", answer->message.id()},
               {"space", answer->message.space()},
               {"version", VersionJson(answer->message.version())},
               {"served_by", answer->served_by},
               {"degraded", answer->degraded}};
  AppendRoute(context, answer->route, json);
  PrintJson(json);
}

struct LinkOptions {
  std::string space;
  std::string from;
  std::string to;
  double weight = 1.0;
};

void Link(Context& context, const LinkOptions& options) {
  v1::LinkRequest request;
  request.set_space(options.space);
  request.set_from(options.from);
  request.set_to(options.to);
  request.set_weight(options.weight);
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->Link(request, BeginWrite(context));
  if (!answer.ok()) return Fail(context, answer.status());
  const v1::LinkResponse& reply = answer->message;
  if (!context.json) {
    fmt::print("linked {} -> {} ({:.2f}) in {} (by {})\n", reply.from(), reply.to(), reply.weight(),
               reply.space(), answer->served_by);
    return PrintRoute(answer->route);
  }
  Json json = {{"space", reply.space()},
               {"from", reply.from()},
               {"to", reply.to()},
               {"weight", reply.weight()},
               {"version", VersionJson(reply.version())},
               {"served_by", answer->served_by},
               {"degraded", answer->degraded}};
  AppendRoute(context, answer->route, json);
  PrintJson(json);
}

CLI::App* AddNamed(CLI::App& app, Context& context, const char* name, const char* help,
                   void (*run)(Context&, const Named&)) {
  CLI::App* command = app.add_subcommand(name, help);
  auto named = std::make_shared<Named>();
  command->add_option("--space", named->space, "the memory's space")->required();
  command->add_option("ID", named->id, "the memory's id")->required();
  AddClientOptions(*command, context);
  AddExplain(*command, context);
  command->callback([&context, named, run] { run(context, *named); });
  return command;
}

}  // namespace

void AddGet(CLI::App& app, Context& context) {
  CLI::App* command = AddNamed(app, context, "get", "read one memory by its id", Get);
  AddReadPreference(*command, context);
  AddSession(*command, context);
  command->footer(
      "Examples: engram get --space notes tea\n"
      "          engram get --space notes tea --session 1:node-1:12");
}

void AddForget(CLI::App& app, Context& context) {
  CLI::App* command = AddNamed(app, context, "forget", "delete one memory", Forget);
  AddRequestId(*command, context);
  AddAck(*command, context);
  command->footer("Example: engram forget --space notes tea");
}

void AddLink(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand(
      "link", "link two memories of a space, so that recall goes from one to the other");
  auto options = std::make_shared<LinkOptions>();
  command->add_option("--space", options->space, "the memories' space")->required();
  command->add_option("FROM", options->from, "id of the one memory")->required();
  command->add_option("TO", options->to, "id of the other")->required();
  command->add_option("--weight", options->weight, "above 0, up to 1")->capture_default_str();
  AddClientOptions(*command, context);
  AddExplain(*command, context);
  AddRequestId(*command, context);
  AddAck(*command, context);
  command->footer("Example: engram link --space notes tea kettle --weight 0.5");
  command->callback([&context, options] { Link(context, *options); });
}

}  // namespace engram::cli
