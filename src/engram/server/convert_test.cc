#include "engram/server/convert.h"

#include <gtest/gtest.h>

#include "engram/base/error.h"
#include "engram/v1/error.pb.h"

namespace engram::server {
namespace {

TEST(Convert, UnknownFieldsAreRefusedByNumber) {
  v1::StoreRequest request;
  EXPECT_TRUE(CheckKnownFields(request).ok());
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(99, 1);
  absl::Status status = CheckKnownFields(request);
  EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "StoreRequest has no field number 99");
}

TEST(Convert, UnknownFieldsAreRefusedInsideOtherMessagesToo) {
  v1::StoreRequest request;
  v1::LinkTarget* link = request.add_links();
  link->GetReflection()->MutableUnknownFields(link)->AddVarint(7, 1);
  EXPECT_EQ(CheckKnownFields(request).message(), "LinkTarget has no field number 7");
}

TEST(Convert, AnUnknownKindIsRefused) {
  v1::StoreRequest request;
  request.set_kind(static_cast<v1::Kind>(9));
  auto command = ToCommand(request, {}, memory::CreateSpace::kNo);
  EXPECT_EQ(DetailOf(command.status()).field, "kind");
}

TEST(Convert, ATimeOutOfRangeIsRefused) {
  v1::RecallRequest request;
  request.mutable_after()->set_seconds(INT64_MAX);
  EXPECT_EQ(DetailOf(ToQuery(request).status()).field, "after");
}

TEST(Convert, AbsentOptionalsTakeTheirDefaults) {
  v1::StoreRequest store;
  store.add_links()->set_to("x");
  auto command = ToCommand(store, {}, memory::CreateSpace::kYes);
  ASSERT_TRUE(command.ok());
  EXPECT_FALSE(command->id.has_value());
  EXPECT_FALSE(command->confidence.has_value());
  EXPECT_FALSE(command->occurred_at.has_value());
  EXPECT_EQ(command->links[0].weight, 1.0);
  EXPECT_EQ(ToQuery(v1::RecallRequest())->limit, 10u);
}

TEST(Convert, VersionsAreEncodedAsTheirMessageIs) {
  const std::string long_name(200, 'n');
  for (const Version& version :
       {Version{}, Version{{1, NodeId("n1")}, 0}, Version{{0, NodeId()}, 127},
        Version{{128, NodeId(long_name)}, 1}, Version{{~uint64_t{0}, NodeId("")}, ~uint64_t{0}}}) {
    EXPECT_EQ(EncodeVersion(version), ToProto(version).SerializeAsString());
  }
}

TEST(Convert, AssignmentsComeBack) {
  placement::Assignment assignment{SpaceId("s"), NodeId("a"), {NodeId("b")}, {{3, NodeId("a")}, 7}};
  EXPECT_EQ(FromProto(ToProto(assignment)), assignment);
  absl::Status status = MakeError(ErrorCode::kWrongNode, "not mine");
  AttachAssignment(assignment, status);
  EXPECT_EQ(AttachedAssignment(status), assignment);
  EXPECT_FALSE(AttachedAssignment(absl::OkStatus()).has_value());
}

}  // namespace
}  // namespace engram::server
