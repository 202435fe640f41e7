// What all commands share: global options, exit codes, how errors and JSON are printed.
//
// A command is a function that adds itself to the CLI11 app; its call-back sets Context::exit_code.
// Single-threaded.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engram/client/client.h"

namespace engram::cli {

// Keeps the order in which fields are written: people read JSON too.
using Json = nlohmann::ordered_json;

enum ExitCode : int { kDone = 0, kRefused = 1, kWrongUsage = 2, kUnreachable = 3 };

struct Context {
  std::string program = "engram";  // as it was called, for hints that can be typed as they are
  std::vector<std::string> nodes = {"127.0.0.1:50051"};
  bool json = false;
  bool explain = false;         // show the route of the request
  std::string request_id_text;  // of --request-id
  RequestId request_id;         // of the write that is under way; zero if none is
  double timeout_s = 10;
  bool safe_again = false;  // the command writes, but has one effect however often it is run
  std::optional<client::ReadPreference> read_preference;
  std::optional<client::Ack> ack;
  std::string session;  // of --session
  bool tls = false;     // set by each option for TLS
  client::ClientTls certificates;
  ExitCode exit_code = kDone;
};

// Adds --node, --json, --timeout and those of TLS to a command that talks to a cluster.
void AddClientOptions(CLI::App& command, Context& context);

// Adds --explain to a command whose request is routed.
void AddExplain(CLI::App& command, Context& context);
inline client::Explain ExplainOf(const Context& context) {
  return context.explain ? client::Explain::kYes : client::Explain::kNo;
}

// Adds --read-preference to a command that reads.
CLI::Option* AddReadPreference(CLI::App& command, Context& context);

// Adds --session to a command that reads.
void AddSession(CLI::App& command, Context& context);
// How to ask for the command's read.
client::Ask BeginRead(const Context& context);

// Adds --ack to a command that writes.
CLI::Option* AddAck(CLI::App& command, Context& context);

// Adds --request-id to a command that writes.
void AddRequestId(CLI::App& command, Context& context);
// How to ask for the command's write. Errors tell its request id from then on, by which it can be
// sent again.
client::Ask BeginWrite(Context& context);

// The client for the context's nodes; on an error prints it, sets the exit code and returns null.
std::unique_ptr<client::Client> Connect(Context& context);

// Prints an error (to standard error, as JSON with --json) with its next step, and sets the exit
// code.
void Fail(Context& context, const absl::Status& status);
// The same for what a command does on this machine.
void FailHere(Context& context, const absl::Status& status);
// The same for wrong usage, which no node has seen.
void FailUsage(Context& context, const absl::Status& status);

void PrintJson(const Json& json);

// "episodic", "semantic" or "".
v1::Kind ParseKind(const std::string& name);
std::string KindName(v1::Kind kind);
std::string TimeText(const google::protobuf::Timestamp& time);
// False if `text` is no RFC 3339 time.
bool ParseTime(const std::string& text, google::protobuf::Timestamp* out);
// Each entry is KEY=VALUE.
[[nodiscard]] absl::Status ParseMetadata(const std::vector<std::string>& entries,
                                         google::protobuf::Map<std::string, std::string>* out);

// The text without control characters other than new lines and tabs: what is stored must not
// command the terminal.
std::string Printable(std::string_view text);

// ", up to 12 ms behind"; nothing for 0.
std::string BehindText(uint64_t staleness_ms);

Json VersionJson(const v1::Version& version);
// For --session.
std::string SessionText(const v1::Version& version);
Json RouteJson(const std::vector<v1::Attempt>& route);
// Adds "route" if --explain asks for it.
void AppendRoute(const Context& context, const std::vector<v1::Attempt>& route, Json& json);
// Each attempt in a line; to standard error, so that results can be piped.
void PrintRoute(const std::vector<v1::Attempt>& route);

// --- the commands, one function each
// -------------------------------------------------------------------------------
void AddServe(CLI::App& app, Context& context);
void AddUp(CLI::App& app, Context& context);
void AddDown(CLI::App& app, Context& context);
void AddStore(CLI::App& app, Context& context);
void AddRecall(CLI::App& app, Context& context);
void AddGet(CLI::App& app, Context& context);
void AddForget(CLI::App& app, Context& context);
void AddLink(CLI::App& app, Context& context);
void AddSpaces(CLI::App& app, Context& context);
void AddNodes(CLI::App& app, Context& context);
void AddStatus(CLI::App& app, Context& context);
void AddRoute(CLI::App& app, Context& context);
void AddMove(CLI::App& app, Context& context);
void AddConsolidate(CLI::App& app, Context& context);

}  // namespace engram::cli
