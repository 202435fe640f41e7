#include "engram/server/reflection_service.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <grpc/reflection/v1/reflection.pb.h>
#include <gtest/gtest.h>

#include "engram/server/public_services.h"

namespace engram::server {
namespace {

using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

ServerReflectionResponse Ask(const ServerReflectionRequest& request) {
  ServerReflectionResponse response;
  EXPECT_TRUE(
      response.ParseFromString(AnswerReflection(request.SerializeAsString(), kPublicServices)));
  return response;
}

ServerReflectionResponse AskSymbol(const std::string& symbol) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol(symbol);
  return Ask(request);
}

TEST(Reflection, EveryServiceItListsCanBeBuiltFromWhatItGives) {
  ServerReflectionRequest list;
  list.set_list_services("");
  ServerReflectionResponse listed = Ask(list);
  ASSERT_EQ(listed.list_services_response().service_size(),
            static_cast<int>(kPublicServices.size()));
  for (const auto& service : listed.list_services_response().service()) {
    ServerReflectionResponse files = AskSymbol(service.name());
    google::protobuf::SimpleDescriptorDatabase database;
    for (const std::string& bytes : files.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      ASSERT_TRUE(file.ParseFromString(bytes));
      database.Add(file);
    }
    google::protobuf::DescriptorPool pool(&database);
    EXPECT_NE(pool.FindServiceByName(service.name()), nullptr) << service.name();
  }
}

TEST(Reflection, UnknownNamesAreNotFound) {
  EXPECT_EQ(AskSymbol("engram.v1.Nothing").error_response().error_code(), 5);
  ServerReflectionRequest request;
  request.set_file_by_filename("engram/v1/memory.proto");
  EXPECT_GT(Ask(request).file_descriptor_response().file_descriptor_proto_size(), 1);
  request.set_file_by_filename("nothing.proto");
  EXPECT_EQ(Ask(request).error_response().error_code(), 5);
  EXPECT_EQ(Ask(ServerReflectionRequest()).error_response().error_code(), 3);
}

}  // namespace
}  // namespace engram::server
