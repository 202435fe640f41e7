// engram recall: finds memories.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "absl/strings/str_split.h"
#include "engram/base/error.h"
#include "engram/cli/command.h"
#include "engram/cli/embedding_file.h"

namespace engram::cli {
namespace {

struct RecallOptions {
  std::string space;
  std::vector<std::string> lists;   // of spaces, as they were given
  std::vector<std::string> spaces;  // the names and patterns in them; instead of `space`
  bool strict = false;
  std::string query;
  uint32_t limit = 10;
  std::vector<std::string> tags;
  std::vector<std::string> metadata;
  std::string kind;
  std::string embedding_file;
  double min_confidence = 0;
  std::string after;
  std::string before;
};

constexpr char kTimeForm[] = "a time must be of the form 2026-01-31T12:00:00Z";

Json WhyJson(const v1::Why& why) {
  Json terms = Json::array();
  for (const std::string& term : why.terms()) terms.push_back(term);
  return {{"text_score", why.text_score()},
          {"text_rank", why.text_rank()},
          {"terms", terms},
          {"vector_score", why.vector_score()},
          {"vector_rank", why.vector_rank()},
          {"activation", why.activation()},
          {"via", why.via()}};
}

Json ResultJson(const v1::RecallResult& result) {
  Json tags = Json::array();
  for (const std::string& tag : result.tags()) tags.push_back(tag);
  Json metadata = Json::object();
  for (const auto& [key, value] : result.metadata()) metadata[key] = value;
  return {{"id", result.id()},
          {"space", result.space()},
          {"content", result.content()},
          {"score", result.score()},
          {"confidence", result.confidence()},
          {"why", WhyJson(result.why())},
          {"tags", tags},
          {"metadata", metadata},
          {"kind", KindName(result.kind())},
          {"occurred_at", TimeText(result.occurred_at())}};
}

Json AnswerJson(const client::Answer<v1::RecallResponse>& answer) {
  const v1::RecallResponse& reply = answer.message;
  Json results = Json::array();
  for (const v1::RecallResult& result : reply.results()) results.push_back(ResultJson(result));
  Json missing = Json::array();
  for (const v1::MissingSpace& space : reply.coverage().missing()) {
    missing.push_back({{"space", space.space()},
                       {"reason", space.reason()},
                       {"code", space.code()},
                       {"retry_after_ms", space.retry_after_ms()}});
  }
  Json unreached = Json::array();
  for (const v1::MissingNode& node : reply.coverage().unreached()) {
    unreached.push_back({{"node", node.id()}, {"reason", node.reason()}});
  }
  return {{"results", results},
          {"coverage",
           {{"asked", reply.coverage().asked()},
            {"answered", reply.coverage().answered()},
            {"missing", missing},
            {"unreached", unreached}}},
          {"degraded", answer.degraded},
          {"session", answer.session},
          {"staleness_ms", reply.staleness_ms()},
          {"confidence", reply.confidence()},
          {"served_by", answer.served_by},
          {"route", RouteJson(answer.route)}};
}

std::string WhyText(const v1::Why& why) {
  std::string text;
  auto add = [&text](std::string part) { text += (text.empty() ? "" : "; ") + std::move(part); };
  if (why.text_rank() > 0) {
    add(fmt::format("text #{} ({})", why.text_rank(), fmt::join(why.terms(), " ")));
  }
  if (why.vector_rank() > 0)
    add(fmt::format("embedding #{} (cosine {:.3f})", why.vector_rank(), why.vector_score()));
  if (why.activation() > 0)
    add(fmt::format("linked from {} ({:.2f})", why.via(), why.activation()));
  return text;
}

// What is missing in the answer; nothing if nothing is.
void PrintCoverage(const v1::RecallResponse& reply) {
  const v1::Coverage& coverage = reply.coverage();
  if (coverage.missing().empty() && coverage.unreached().empty()) return;
  fmt::print(stderr, "INCOMPLETE: {} of {} spaces answered, confidence {:.2f}\n",
             coverage.answered(), coverage.asked(), reply.confidence());
  for (const v1::MissingSpace& space : coverage.missing()) {
    fmt::print(stderr, "  missing {}: {}\n", space.space(), space.reason());
  }
  for (const v1::MissingNode& node : coverage.unreached()) {
    fmt::print(stderr, "  unknown what {} holds: {}\n", node.id(), node.reason());
  }
}

enum class ShowSpace : uint8_t { kNo, kYes };

void PrintText(const client::Answer<v1::RecallResponse>& answer, ShowSpace show_space,
               double milliseconds) {
  int rank = 0;
  for (const v1::RecallResult& result : answer.message.results()) {
    const std::string name =
        show_space == ShowSpace::kYes ? result.space() + "/" + result.id() : result.id();
    fmt::print("{:>3}. {:.4f}  {}  {}\n", ++rank, result.score(), name,
               Printable(result.content()));
    fmt::print("     confidence {:.2f}; {}\n", result.confidence(), WhyText(result.why()));
  }
  std::fflush(stdout);  // so that this comes after the results, wherever both go
  fmt::print(stderr, "{} found, served by {} in {:.1f} ms{}{}\n", rank, answer.served_by,
             milliseconds, BehindText(answer.message.staleness_ms()),
             answer.degraded ? ", DEGRADED: the node is cut off from the cluster" : "");
  PrintCoverage(answer.message);
  PrintRoute(answer.route);
}

// What both requests have in common.
template <class Request>
absl::Status FillRequest(const RecallOptions& options, Request& request) {
  request.set_query(options.query);
  request.set_limit(options.limit);
  for (const std::string& tag : options.tags) request.add_tags(tag);
  if (absl::Status status = ParseMetadata(options.metadata, request.mutable_metadata());
      !status.ok())
    return status;
  request.set_kind(ParseKind(options.kind));
  request.set_min_confidence(options.min_confidence);
  if (!options.after.empty() && !ParseTime(options.after, request.mutable_after())) {
    return InvalidArgument("after", kTimeForm);
  }
  if (!options.before.empty() && !ParseTime(options.before, request.mutable_before())) {
    return InvalidArgument("before", kTimeForm);
  }
  if (!options.embedding_file.empty()) {
    auto embedding = ReadEmbedding(options.embedding_file);
    if (!embedding.ok()) return embedding.status();
    request.mutable_embedding()->Add(embedding->begin(), embedding->end());
  }
  return absl::OkStatus();
}

using RecallAnswer = absl::StatusOr<client::Answer<v1::RecallResponse>>;

// "a,b" as "a" and "b".
std::vector<std::string> SplitAtCommas(const std::vector<std::string>& lists) {
  std::vector<std::string> names;
  for (const std::string& list : lists) {
    const std::vector<std::string> some = absl::StrSplit(list, ',', absl::SkipEmpty());
    names.insert(names.end(), some.begin(), some.end());
  }
  return names;
}

RecallAnswer Ask(client::Client& client, const RecallOptions& options,
                 v1::RecallManyRequest& request, const client::Ask& ask) {
  if (!options.spaces.empty()) {
    for (const std::string& space : options.spaces) request.add_spaces(space);
    request.set_strict(options.strict);
    return client.RecallMany(request, ask);
  }
  v1::RecallRequest one;
  if (absl::Status status = FillRequest(options, one); !status.ok()) return status;
  one.set_space(options.space);
  return client.Recall(one, ask);
}

void Recall(Context& context, const RecallOptions& options) {
  v1::RecallManyRequest request;
  if (!options.lists.empty() && options.spaces.empty()) {
    return FailUsage(context, InvalidArgument("spaces", "--spaces names no space"));
  }
  if (absl::Status status = FillRequest(options, request); !status.ok()) {
    return FailUsage(context, status);
  }
  auto client = Connect(context);
  if (client == nullptr) return;
  auto started = std::chrono::steady_clock::now();
  auto answer = Ask(*client, options, request, BeginRead(context));
  std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - started;
  if (!answer.ok()) return Fail(context, answer.status());
  if (context.json) return PrintJson(AnswerJson(*answer));
  PrintText(*answer, options.spaces.empty() ? ShowSpace::kNo : ShowSpace::kYes, took.count());
}

}  // namespace

void AddRecall(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("recall", "find memories by words, by an embedding, or both");
  auto options = std::make_shared<RecallOptions>();
  CLI::Option_group* where = command->add_option_group("where");
  where->add_option("--space", options->space, "space to search");
  CLI::Option* spaces =
      where
          ->add_option("--spaces", options->lists,
                       "spaces to search as if they were one: names, and patterns with * (quoted), "
                       "separated by commas")
          ->allow_extra_args(false);
  where->require_option(1);
  command
      ->add_flag("--strict", options->strict,
                 "with --spaces: a space that does not answer is an error, not a gap in the answer")
      ->needs(spaces);
  command->add_option("QUERY", options->query,
                      "words to look for; may be left out with --embedding");
  command->add_option("--limit", options->limit, "results at most, 1 to 1000")
      ->capture_default_str();
  command->add_option("--tag", options->tags, "only memories with this tag; repeatable")
      ->allow_extra_args(false);
  command->add_option("--meta", options->metadata, "only memories with KEY=VALUE; repeatable")
      ->allow_extra_args(false);
  command->add_option("--kind", options->kind, "only memories of this kind")
      ->check(CLI::IsMember({"episodic", "semantic"}));
  command->add_option("--min-confidence", options->min_confidence,
                      "only results at least so sure (the confidence shown), 0 to 1");
  command->add_option("--after", options->after,
                      "only what occurred at this time or later, e.g. 2026-01-31T12:00:00Z");
  command->add_option("--before", options->before, "only what occurred before this time");
  command->add_option("--embedding", options->embedding_file,
                      "file with the query embedding's numbers");
  AddClientOptions(*command, context);
  AddExplain(*command, context);
  AddReadPreference(*command, context);
  AddSession(*command, context);
  command->footer(
      "Examples: engram recall --space notes --explain \"when is tea\"\n"
      "          engram recall --spaces 'diary,notes-*' \"when is tea\"");
  command->callback([&context, options] {
    options->spaces = SplitAtCommas(options->lists);
    Recall(context, *options);
  });
}

}  // namespace engram::cli
