#include "engram/cli/command.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>

#include "engram/base/error.h"
#include "engram/base/session_token.h"

namespace engram::cli {
namespace {

constexpr std::string_view kCorrectUsage =
    "Correct it and run the command again; its --help says what it takes.";

ExitCode ExitCodeOf(const absl::Status& status) {
  const bool unreachable =
      CodeOf(status) == ErrorCode::kConnectionFailed || client::NobodyAnswered(status);
  return unreachable ? kUnreachable : kRefused;
}

// What the command writes may have been carried out.
bool MayBeWritten(ErrorCode code) {
  return code == ErrorCode::kUndetermined || code == ErrorCode::kDeadlineExceeded;
}

std::string_view NextStepOnTls(const Context& context) {
  if (!context.tls) {
    return "The node may want TLS: --tls-ca FILE (or --tls); and if it asks for a certificate, "
           "--tls-cert FILE --tls-key FILE. It may also be full or stopping, or the port another "
           "than that for gRPC.";
  }
  return "If the reason is the node's certificate: --tls-ca FILE says who may have signed it, "
         "--tls-name NAME for whom. The node may ask for yours: --tls-cert FILE --tls-key FILE. It "
         "may also speak no TLS at all.";
}

std::string NextStep(const Context& context, const absl::Status& status) {
  const ErrorCode code = CodeOf(status);
  if (context.safe_again && MayBeWritten(code)) {
    return "Some of it may have been carried out. Run the command again, with a longer --timeout "
           "if "
           "that was too short: what is done is left as it is.";
  }
  if (!context.request_id.is_zero() && MayBeWritten(code)) {
    return fmt::format(
        "It may have been carried out. Run the same with --request-id {}: both have one effect.",
        context.request_id.ToString());
  }
  if (client::MayDisagreeOnTls(status)) return std::string(NextStepOnTls(context));
  if (!client::NobodyAnswered(status)) {
    // A read: what the table says of writes would only confuse.
    if (code != ErrorCode::kDeadlineExceeded) return std::string(InfoOf(code).next);
    return "See with `engram status` which node does not answer, or allow more time with --timeout "
           "SECONDS.";
  }
  if (code == ErrorCode::kDeadlineExceeded) {
    return "The node may hang, or need more than --timeout SECONDS; --node HOST:PORT names "
           "another.";
  }
  return fmt::format(
      "--node HOST:PORT names a node that runs; `{} up` starts some on this machine.",
      context.program);
}

double Milliseconds(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

std::string WaitText(Duration d) {
  const double ms = std::ceil(Milliseconds(d));
  return ms < 10'000 ? fmt::format("{:.0f} ms", ms) : fmt::format("{:.0f} s", std::ceil(ms / 1e3));
}

void PrintError(const Context& context, const absl::Status& status, std::string_view next) {
  ErrorDetail detail = DetailOf(status);
  const ErrorInfo& info = InfoOf(detail.code);
  std::string message(status.message());
  if (context.json) {
    Json json = {{"error", message},
                 {"code", info.name},
                 {"space", detail.space},
                 {"node", detail.node},
                 {"next", next},
                 {"retry_after_ms", Milliseconds(detail.retry_after)},
                 {"route", RouteJson(client::AttemptsOf(status))}};
    if (!context.request_id.is_zero()) json["request_id"] = context.request_id.ToString();
    fmt::print(stderr, "{}\n", json.dump());
    return;
  }
  fmt::print(stderr, "engram: {}\n  {}\n", message, next);
  if (detail.retry_after > Duration::zero()) {
    fmt::print(stderr, "  (not before {} have passed)\n", WaitText(detail.retry_after));
  }
  // A single try is what the message tells already.
  std::vector<v1::Attempt> attempts = client::AttemptsOf(status);
  if (attempts.size() > 1 || context.explain) PrintRoute(attempts);
}

// Whatever is given for TLS, be it an empty variable of a script, must not end in plain HTTP/2.
void AddTlsOption(CLI::App& command, Context& context, const char* name, std::string& value,
                  const char* help) {
  command.add_option(name, value, help)
      ->each([&context](const std::string&) { context.tls = true; })
      ->group("TLS");
}

void AddTlsOptions(CLI::App& command, Context& context) {
  client::ClientTls& files = context.certificates;
  command.add_flag("--tls", context.tls, "speak TLS to the nodes; implied by the options below")
      ->group("TLS");
  AddTlsOption(command, context, "--tls-ca", files.ca_file,
               "PEM file of the CAs that may have signed the nodes' certificates; the system's if "
               "not given");
  AddTlsOption(command, context, "--tls-cert", files.certificate_file,
               "PEM file of your own certificate, for nodes that ask for one; with --tls-key");
  AddTlsOption(command, context, "--tls-key", files.key_file,
               "PEM file of its key, without a passphrase");
  AddTlsOption(command, context, "--tls-name", files.expected_name,
               "name or address that the nodes' certificates must be for, instead of the host in "
               "--node");
}

}  // namespace

void AddClientOptions(CLI::App& command, Context& context) {
  command
      .add_option("--node", context.nodes,
                  "host:port of a node; repeat it to name nodes to try next")
      ->capture_default_str()
      ->allow_extra_args(false)
      ->group("Cluster");
  command.add_option("--timeout", context.timeout_s, "seconds that the command may take")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 86'400.0))
      ->group("Cluster");
  AddTlsOptions(command, context);
  command
      .add_flag("--json", context.json, "print one JSON document (errors too, on standard error)")
      ->group("Output");
}

void AddExplain(CLI::App& command, Context& context) {
  command
      .add_flag("--explain", context.explain,
                "show the route that the request took: each node that was asked, what came of it, "
                "why, and how long it took; of a request that failed, too")
      ->group("Output");
}

CLI::Option* AddReadPreference(CLI::App& command, Context& context) {
  const auto set = [&context](const std::string& name) {
    context.read_preference = client::ParseReadPreference(name);
  };
  const auto check = [](const std::string& name) {
    return client::ParseReadPreference(name).has_value() ? "" : "there is no '" + name + "'";
  };
  return command
      .add_option_function<std::string>(
          "--read-preference", set,
          "which holder answers if the asked node is none: primary_preferred, nearest, "
          "replica_preferred, or primary and nobody else, not even a replica on the asked node; "
          "the node's configuration if not given")
      ->check(CLI::Validator(check, ""))
      ->group("Cluster");
}

void AddSession(CLI::App& command, Context& context) {
  command
      .add_option(
          "--session", context.session,
          "a version that was seen, as `engram store` and `engram get` tell it: who answers "
          "has that change, or flags the answer; with --spaces: space=version, separated by "
          "commas")
      ->group("Cluster");
}

client::Ask BeginRead(const Context& context) {
  client::Ask ask(ExplainOf(context));
  ask.session = context.session;
  return ask;
}

CLI::Option* AddAck(CLI::App& command, Context& context) {
  const auto set = [&context](const std::string& name) { context.ack = routing::AckFrom(name); };
  const auto check = [](const std::string& name) {
    return routing::AckFrom(name).has_value() ? "" : "there is no '" + name + "'";
  };
  return command
      .add_option_function<std::string>(
          "--ack", set,
          "when it is done: once it is durable at the space's primary, at a quorum of its holders, "
          "or at all of them; the node's configuration if not given")
      ->check(CLI::Validator(check, ""))
      ->group("Cluster");
}

void AddRequestId(CLI::App& command, Context& context) {
  const CLI::Validator is_ulid(
      [](const std::string& text) {
        const auto id = RequestId::Parse(text);
        return id.has_value() && !id->is_zero() ? "" : fmt::format("'{}' is no ULID", text);
      },
      "");
  command
      .add_option("--request-id", context.request_id_text,
                  "that of a request whose end is not known, to send it again: it has one effect, "
                  "for an hour")
      ->check(is_ulid)
      ->group("Cluster");
}

client::Ask BeginWrite(Context& context) {
  context.request_id = context.request_id_text.empty() ? client::NewRequestId()
                                                       : *RequestId::Parse(context.request_id_text);
  client::Ask ask(ExplainOf(context));
  ask.request_id = context.request_id;
  return ask;
}

std::unique_ptr<client::Client> Connect(Context& context) {
  client::ClientOptions options;
  options.nodes = context.nodes;
  options.timeout =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(context.timeout_s));
  if (context.tls) options.tls = context.certificates;
  options.read_preference = context.read_preference;
  options.ack = context.ack;
  auto connected = client::Client::Create(std::move(options));
  if (connected.ok()) return *std::move(connected);
  FailUsage(context, connected.status());
  return nullptr;
}

void Fail(Context& context, const absl::Status& status) {
  PrintError(context, status, NextStep(context, status));
  context.exit_code = ExitCodeOf(status);
}

void FailHere(Context& context, const absl::Status& status) {
  // The table's advice is for requests.
  std::string_view next = InfoOf(CodeOf(status)).next;
  if (CodeOf(status) == ErrorCode::kInvalidArgument) next = kCorrectUsage;
  if (CodeOf(status) == ErrorCode::kStorageFailed) {
    next =
        "The node needs a directory that it can write to, on a disk with room; correct it and "
        "start the node again.";
  }
  if (CodeOf(status) == ErrorCode::kConnectionFailed) {
    next =
        "Mend what the log says and run the command again; `up --base-port` chooses other ports.";
  }
  PrintError(context, status, next);
  context.exit_code = ExitCodeOf(status);
}

void FailUsage(Context& context, const absl::Status& status) {
  // Found before anything was sent: the table's advice is for requests.
  const bool invalid = CodeOf(status) == ErrorCode::kInvalidArgument;
  PrintError(context, status, invalid ? std::string(kCorrectUsage) : NextStep(context, status));
  context.exit_code = kWrongUsage;
}

void PrintJson(const Json& json) {
  // Text that is not UTF-8 cannot be stored; replacing is for what an older node may send.
  fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

v1::Kind ParseKind(const std::string& name) {
  if (name == "episodic") return v1::KIND_EPISODIC;
  return name == "semantic" ? v1::KIND_SEMANTIC : v1::KIND_UNSPECIFIED;
}

std::string KindName(v1::Kind kind) { return kind == v1::KIND_SEMANTIC ? "semantic" : "episodic"; }

std::string TimeText(const google::protobuf::Timestamp& time) {
  return google::protobuf::util::TimeUtil::ToString(time);
}

bool ParseTime(const std::string& text, google::protobuf::Timestamp* out) {
  return google::protobuf::util::TimeUtil::FromString(text, out);
}

absl::Status ParseMetadata(const std::vector<std::string>& entries,
                           google::protobuf::Map<std::string, std::string>* out) {
  for (const std::string& entry : entries) {
    size_t equals = entry.find('=');
    if (equals == std::string::npos) {
      return InvalidArgument("meta", fmt::format("--meta takes KEY=VALUE, not '{}'", entry));
    }
    std::string key = entry.substr(0, equals);
    if (out->contains(key)) {
      return InvalidArgument("meta", fmt::format("--meta gives '{}' twice", key));
    }
    (*out)[key] = entry.substr(equals + 1);
  }
  return absl::OkStatus();
}

std::string Printable(std::string_view text) {
  std::string shown;
  for (char c : text) {
    bool control = (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
    shown += control ? '?' : c;
  }
  return shown;
}

std::string BehindText(uint64_t staleness_ms) {
  // As a replica says that has not heard yet where its primary stands.
  constexpr uint64_t kUnknown = std::numeric_limits<int64_t>::max();
  if (staleness_ms == 0) return "";
  if (staleness_ms >= kUnknown) return ", behind by an unknown time";
  return fmt::format(", up to {} ms behind", staleness_ms);
}

Json VersionJson(const v1::Version& version) {
  return {{"epoch", version.epoch().counter()}, {"sequence", version.sequence()}};
}

std::string SessionText(const v1::Version& version) {
  return ToSessionToken(
      {{version.epoch().counter(), NodeId(version.epoch().primary())}, version.sequence()});
}

Json RouteJson(const std::vector<v1::Attempt>& route) {
  Json json = Json::array();
  for (const v1::Attempt& attempt : route) {
    json.push_back({{"node", attempt.node()},
                    {"outcome", attempt.outcome()},
                    {"reason", attempt.reason()},
                    {"ms", attempt.milliseconds()}});
  }
  return json;
}

void AppendRoute(const Context& context, const std::vector<v1::Attempt>& route, Json& json) {
  if (context.explain) json["route"] = RouteJson(route);
}

void PrintRoute(const std::vector<v1::Attempt>& route) {
  std::fflush(stdout);
  for (const v1::Attempt& attempt : route) {
    fmt::print(stderr, "  route: {} {} ({}) {:.2f} ms\n", attempt.node(), attempt.outcome(),
               attempt.reason(), attempt.milliseconds());
  }
}

}  // namespace engram::cli
