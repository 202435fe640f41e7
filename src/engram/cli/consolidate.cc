// engram consolidate: near-duplicate episodes of a space become semantic memories.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engram/cli/command.h"

namespace engram::cli {
namespace {

// Seconds; a large space takes longer than other requests.
constexpr double kTimeout = 600;

struct ConsolidateOptions {
  std::string space;
  bool dry_run = false;
  double embedding_similarity = 0.95;
  double text_similarity = 0.75;
};

std::string_view NameOf(v1::ConsolidateOutcome outcome) {
  switch (outcome) {
    case v1::CONSOLIDATE_OUTCOME_CREATED:
      return "created";
    case v1::CONSOLIDATE_OUTCOME_UPDATED:
      return "updated";
    case v1::CONSOLIDATE_OUTCOME_UNCHANGED:
      return "unchanged";
    case v1::CONSOLIDATE_OUTCOME_TAKEN_OVER:
      return "taken_over";
    default:
      return "failed";
  }
}

Json GroupJson(const v1::ConsolidatedGroup& group) {
  Json sources = Json::array();
  for (const v1::ConsolidatedSource& source : group.sources()) {
    sources.push_back({{"id", source.id()}, {"similarity", source.similarity()}});
  }
  Json json = {{"id", group.id()}, {"outcome", NameOf(group.outcome())}, {"sources", sources}};
  if (!group.content().empty()) {
    json["content"] = group.content();
    json["confidence"] = group.confidence();
  }
  if (group.superseded_size() > 0) {
    json["superseded"] =
        std::vector<std::string>(group.superseded().begin(), group.superseded().end());
  }
  if (group.has_version()) json["version"] = VersionJson(group.version());
  if (group.has_error()) {
    json["error"] = {{"code", group.error().code()}, {"message", group.error().message()}};
  }
  return json;
}

Json TotalsJson(const v1::ConsolidateTotals& totals) {
  return {{"episodes", totals.episodes()},     {"skipped", totals.skipped()},
          {"created", totals.created()},       {"updated", totals.updated()},
          {"unchanged", totals.unchanged()},   {"taken_over", totals.taken_over()},
          {"superseded", totals.superseded()}, {"failed", totals.failed()},
          {"remaining", totals.remaining()}};
}

std::string SourcesText(const v1::ConsolidatedGroup& group) {
  std::string text;
  for (const v1::ConsolidatedSource& source : group.sources()) {
    text +=
        text.empty() ? source.id() : fmt::format(", {} ({:.2f})", source.id(), source.similarity());
  }
  return text;
}

// Nothing of a group that is as it was: there may be many.
void PrintGroup(const v1::ConsolidatedGroup& group, bool dry_run) {
  const bool written = group.outcome() == v1::CONSOLIDATE_OUTCOME_CREATED ||
                       group.outcome() == v1::CONSOLIDATE_OUTCOME_UPDATED;
  if (written) {
    const std::string_view verb =
        group.outcome() == v1::CONSOLIDATE_OUTCOME_CREATED ? "create" : "update";
    fmt::print("{}{}{} {}: {}\n", dry_run ? "would " : "", verb, dry_run ? "" : "d", group.id(),
               Printable(group.content()));
    fmt::print("  from {} episodes: {}\n", group.sources_size(), SourcesText(group));
  } else if (group.outcome() == v1::CONSOLIDATE_OUTCOME_TAKEN_OVER) {
    fmt::print("left alone {}: somebody has changed it since\n", group.id());
  } else if (group.has_error()) {
    fmt::print("not written {}: {}\n", group.id(), Printable(group.error().message()));
  }
  for (const std::string& superseded : group.superseded()) {
    fmt::print("  {} {}, which it takes the place of\n", dry_run ? "would forget" : "forgot",
               superseded);
  }
}

void PrintTotals(const ConsolidateOptions& options, const v1::ConsolidateTotals& totals) {
  fmt::print("{}: of {} episodes, {} {}created, {} {}updated, {} unchanged, {} left alone\n",
             options.space, totals.episodes(), totals.created(), options.dry_run ? "would be " : "",
             totals.updated(), options.dry_run ? "would be " : "", totals.unchanged(),
             totals.taken_over());
  if (totals.skipped() > 0) {
    fmt::print("{} episodes were not looked at: the space is too large for one consolidation\n",
               totals.skipped());
  }
  if (totals.remaining() > 0) {
    fmt::print("{} groups remain: run the command again\n", totals.remaining());
  }
}

void Consolidate(Context& context, const ConsolidateOptions& options) {
  context.safe_again = true;
  v1::ConsolidateRequest request;
  request.set_space(options.space);
  request.set_dry_run(options.dry_run);
  request.set_embedding_similarity(options.embedding_similarity);
  request.set_text_similarity(options.text_similarity);
  auto client = Connect(context);
  if (client == nullptr) return;
  std::map<std::string, Json> groups;  // by id: they come again if a node fails in the middle
  v1::ConsolidateTotals totals;
  auto answer = client->Consolidate(request, [&](const v1::ConsolidateResponse& part) {
    if (part.has_totals()) totals = part.totals();
    if (!part.has_group()) return;
    if (context.json)
      groups[part.group().id()] = GroupJson(part.group());
    else
      PrintGroup(part.group(), options.dry_run);
  });
  // What was done is told also when the rest was not.
  const bool begun = answer.ok() || totals.episodes() > 0;
  if (begun && context.json) {
    Json listed = Json::array();
    for (auto& [id, group] : groups) listed.push_back(std::move(group));
    PrintJson({{"space", options.space},
               {"dry_run", options.dry_run},
               {"groups", listed},
               {"totals", TotalsJson(totals)},
               {"served_by", answer.ok() ? answer->served_by : ""},
               {"degraded", answer.ok() && answer->degraded}});
  } else if (begun) {
    PrintTotals(options, totals);
  }
  std::fflush(stdout);
  if (!answer.ok()) return Fail(context, answer.status());
  if (!context.json) {
    fmt::print(stderr, "done by {}{}\n", answer->served_by,
               answer->degraded ? ", DEGRADED: it may lack what others have" : "");
  }
}

}  // namespace

void AddConsolidate(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand(
      "consolidate",
      "make a semantic memory of each group of episodes that say nearly the same, with links to "
      "them");
  auto options = std::make_shared<ConsolidateOptions>();
  command->add_option("--space", options->space, "the space")->required();
  command->add_flag("--dry-run", options->dry_run, "say what would be written, and write nothing");
  command
      ->add_option("--embedding-similarity", options->embedding_similarity,
                   "how much alike embeddings must be: cosine, 0.9 to 1")
      ->capture_default_str();
  command
      ->add_option("--text-similarity", options->text_similarity,
                   "how much alike texts must be where there are no embeddings, 0.6 to 1")
      ->capture_default_str();
  AddClientOptions(*command, context);
  CLI::Option* timeout = command->get_option("--timeout")->default_str(fmt::format("{}", kTimeout));
  AddAck(*command, context);
  command->footer(
      "The episodes stay as they are. To run it again is safe: a group that has not changed is "
      "left "
      "as it is,\nand so is a memory that somebody has changed. Forgetting episodes does not take "
      "back what was made of\nthem, once fewer than two are left.\n"
      "Example: engram consolidate --space notes --dry-run");
  command->callback([&context, options, timeout] {
    if (timeout->count() == 0) context.timeout_s = kTimeout;
    Consolidate(context, *options);
  });
}

}  // namespace engram::cli
