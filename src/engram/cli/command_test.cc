// How errors reach a person, or a script.
#include "engram/cli/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engram/base/error.h"

namespace engram::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Printed {
  std::string text;
  int exit_code = kDone;
};

Printed PrintFailure(const absl::Status& status, bool as_json) {
  Context context;
  context.json = as_json;
  testing::internal::CaptureStderr();
  Fail(context, status);
  std::string text = testing::internal::GetCapturedStderr();
  return {std::move(text), context.exit_code};
}

ErrorDetail DetailFor(ErrorCode code) {
  ErrorDetail detail;
  detail.code = code;
  detail.space = "notes";
  detail.node = "node-1";
  return detail;
}

// As the table has it, but for what it says of writes.
std::string NextOfARead(const ErrorInfo& info) {
  if (info.code != ErrorCode::kDeadlineExceeded) return std::string(info.next);
  return "See with `engram status` which node does not answer, or allow more time with --timeout "
         "SECONDS.";
}

TEST(Fail, TellsOfEveryCodeWhatHappenedAndWhatToDo) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorInfo& info = InfoOf(static_cast<ErrorCode>(i));
    const Printed printed = PrintFailure(MakeError(DetailFor(info.code), "it went wrong"), false);
    EXPECT_EQ(printed.text, "engram: it went wrong\n  " + NextOfARead(info) + "\n");
    EXPECT_TRUE(info.next.ends_with(".") && info.next.find(' ') != std::string_view::npos)
        << info.name << " has no sentence";
  }
}

TEST(Fail, TellsOfEveryCodeTheSameAsJson) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorInfo& info = InfoOf(static_cast<ErrorCode>(i));
    const Printed printed = PrintFailure(MakeError(DetailFor(info.code), "it went wrong"), true);
    const Json json = Json::parse(printed.text, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << printed.text;
    EXPECT_EQ(json["error"], "it went wrong");
    EXPECT_EQ(json["code"], info.name);
    EXPECT_EQ(json["space"], "notes");
    EXPECT_EQ(json["node"], "node-1");
    EXPECT_EQ(json["next"], NextOfARead(info));
  }
}

TEST(Fail, ExitsWithUnreachableOnlyWhereNobodyAnswered) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(PrintFailure(MakeError(DetailFor(code), "x"), true).exit_code,
              code == ErrorCode::kConnectionFailed ? kUnreachable : kRefused)
        << InfoOf(code).name;
  }
}

TEST(Fail, SaysWhenToTryAgainIfTheNodeDid) {
  ErrorDetail detail = DetailFor(ErrorCode::kOverloaded);
  EXPECT_THAT(PrintFailure(MakeError(detail, "busy"), false).text, Not(HasSubstr("not before")));
  detail.retry_after = std::chrono::microseconds(249'500);
  EXPECT_THAT(PrintFailure(MakeError(detail, "busy"), false).text,
              HasSubstr("(not before 250 ms have passed)"));
  EXPECT_EQ(Json::parse(PrintFailure(MakeError(detail, "busy"), true).text)["retry_after_ms"],
            249.5);
  detail.retry_after = std::chrono::milliseconds(29'357);
  EXPECT_THAT(PrintFailure(MakeError(detail, "busy"), false).text,
              HasSubstr("(not before 30 s have passed)"));
}

TEST(Fail, TellsHowAWriteThatMayBeDoneIsSentAgain) {
  Context context;
  context.request_id_text = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  EXPECT_EQ(BeginWrite(context).request_id.ToString(), context.request_id_text);
  for (auto code : {ErrorCode::kUndetermined, ErrorCode::kDeadlineExceeded}) {
    testing::internal::CaptureStderr();
    Fail(context, MakeError(DetailFor(code), "x"));
    EXPECT_THAT(testing::internal::GetCapturedStderr(),
                HasSubstr("--request-id 01ARZ3NDEKTSV4RRFFQ69G5FAV"));
  }
  testing::internal::CaptureStderr();
  Fail(context, MakeError(DetailFor(ErrorCode::kNotFound), "x"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), Not(HasSubstr("--request-id")));
}

TEST(Fail, EveryWriteHasARequestIdOfItsOwn) {
  Context context;
  const RequestId first = BeginWrite(context).request_id;
  EXPECT_FALSE(first.is_zero());
  EXPECT_EQ(context.request_id, first);
  EXPECT_NE(BeginWrite(context).request_id, first);
}

TEST(Fail, WhatIsSafeToRunAgainAdvisesThat) {
  Context context;
  context.safe_again = true;
  for (auto code : {ErrorCode::kUndetermined, ErrorCode::kDeadlineExceeded}) {
    testing::internal::CaptureStderr();
    Fail(context, MakeError(DetailFor(code), "x"));
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("Run the command again"));
  }
}

TEST(BehindText, IsNothingForAFreshAnswerAndNoHugeNumberForAnUnknownOne) {
  EXPECT_EQ(BehindText(0), "");
  EXPECT_EQ(BehindText(12), ", up to 12 ms behind");
  EXPECT_EQ(BehindText(9'223'372'036'854'775'807U), ", behind by an unknown time");
}

TEST(FailHere, AdvisesWhoRunsTheProgramNotWhoSendsARequest) {
  Context context;
  testing::internal::CaptureStderr();
  FailHere(context, InvalidArgument("data-dir", "another cluster's"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("run the command again"));
  EXPECT_EQ(context.exit_code, kRefused);
}

}  // namespace
}  // namespace engram::cli
