// SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR.
#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "tests/core/client.h"
#include "tests/core/temp_tree.h"

namespace shuntfs {
namespace {

using abi::Opcode;

constexpr uint64_t kRoot = kRootNodeId.value();

class XattrTest : public ::testing::Test {
 protected:
  void SetUp() override {
    tree_.File("f");
    if (setxattr(tree_.At("f").c_str(), "user.probe", "", 0, 0) != 0)
      GTEST_SKIP() << "no xattrs on " << tree_.path();
    removexattr(tree_.At("f").c_str(), "user.probe");
    node_ = client_.Lookup(kRoot, "f");
  }
  Action Set(std::string_view name, std::string_view value, uint32_t flags = 0) {
    return client_.Send(Opcode::kSetxattr, node_,
                        abi::SetxattrIn{static_cast<uint32_t>(value.size()), flags, 0, 0},
                        Text(name) + std::string(value));
  }
  Action Get(std::string_view name, uint32_t room) {
    return client_.Send(Opcode::kGetxattr, node_, abi::GetxattrIn{room, 0}, Text(name));
  }
  Action List(uint32_t room) {
    return client_.Send(Opcode::kListxattr, node_, abi::GetxattrIn{room, 0});
  }

  TempTree tree_;
  Client client_{tree_.path()};
  uint64_t node_ = 0;
};

TEST_F(XattrTest, SetsAndGets) {
  using namespace std::string_view_literals;
  EXPECT_TRUE(Answered(Set("user.a", "va\0lue"sv), 0));
  EXPECT_TRUE(Answered(Get("user.a", 100), 6));
  EXPECT_EQ(client_.ReplyText(6), "va\0lue"sv);
  EXPECT_TRUE(Answered(Get("user.a", 0), sizeof(abi::GetxattrOut)));
  EXPECT_EQ(client_.Reply<abi::GetxattrOut>().size, 6u);
  EXPECT_TRUE(Refused(Get("user.a", 5), ERANGE));
  EXPECT_TRUE(Refused(Get("user.none", 100), ENODATA));
}

TEST_F(XattrTest, KeepsToCreateAndReplace) {
  EXPECT_TRUE(Refused(Set("user.a", "1", XATTR_REPLACE), ENODATA));
  EXPECT_TRUE(Answered(Set("user.a", "1", XATTR_CREATE), 0));
  EXPECT_TRUE(Refused(Set("user.a", "2", XATTR_CREATE), EEXIST));
  EXPECT_TRUE(Answered(Set("user.a", "", XATTR_REPLACE), 0));
  EXPECT_TRUE(Answered(Get("user.a", 100), 0));
}

TEST_F(XattrTest, RefusesAValueLongerThanTheMessage) {
  EXPECT_TRUE(Refused(client_.Send(Opcode::kSetxattr, node_, abi::SetxattrIn{7, 0, 0, 0},
                                   Text("user.a") + "123456"),
                      EINVAL));
  EXPECT_TRUE(Refused(Get("user.a", 100), ENODATA));
}

TEST_F(XattrTest, ListsAndRemoves) {
  Set("user.a", "1");
  Set("user.b", "2");
  const std::string both = Text("user.a") + Text("user.b");
  const Action action = List(1000);
  EXPECT_TRUE(Answered(action, both.size()));
  EXPECT_NE(client_.ReplyText(action.reply_bytes).find(Text("user.a")), std::string::npos);
  EXPECT_NE(client_.ReplyText(action.reply_bytes).find(Text("user.b")), std::string::npos);
  EXPECT_TRUE(Answered(List(0), sizeof(abi::GetxattrOut)));
  EXPECT_EQ(client_.Reply<abi::GetxattrOut>().size, both.size());
  EXPECT_TRUE(Refused(List(static_cast<uint32_t>(both.size()) - 1), ERANGE));
  EXPECT_TRUE(Answered(client_.Send(Opcode::kRemovexattr, node_, Text("user.a")), 0));
  EXPECT_TRUE(Refused(client_.Send(Opcode::kRemovexattr, node_, Text("user.a")), ENODATA));
  EXPECT_TRUE(Answered(List(1000), both.size() / 2));
}

TEST_F(XattrTest, ShowsTrustedOnesToRootOnly) {
  if (setxattr(tree_.At("f").c_str(), "trusted.t", "1", 1, 0) != 0)
    GTEST_SKIP() << "no right to trusted xattrs";
  Set("user.a", "1");
  EXPECT_TRUE(Answered(List(1000), Text("user.a").size() + Text("trusted.t").size()));
  client_.SetCaller(1000, 1000);
  const Action action = List(1000);
  EXPECT_EQ(client_.ReplyText(action.reply_bytes), Text("user.a"));
  EXPECT_TRUE(Answered(List(0)));
  EXPECT_EQ(client_.Reply<abi::GetxattrOut>().size, Text("user.a").size());
}

TEST_F(XattrTest, OfASymlinkAreNotThoseOfItsTarget) {
  tree_.Symlink("f", "s");
  Set("user.a", "1");
  node_ = client_.Lookup(kRoot, "s");
  EXPECT_FALSE(Get("user.a", 100).error == Errno(0));
  EXPECT_TRUE(Refused(Set("user.b", "1"), EPERM));
  EXPECT_LT(getxattr(tree_.At("f").c_str(), "user.b", nullptr, 0), 0);
}

}  // namespace
}  // namespace shuntfs
