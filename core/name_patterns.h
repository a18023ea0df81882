// Names that a mount does not have: exact ones and shell patterns, in every directory.
//
// Floor 2: pure, any thread.
#ifndef SHUNTFS_CORE_NAME_PATTERNS_H_
#define SHUNTFS_CORE_NAME_PATTERNS_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shuntfs {

class NamePatterns {
 public:
  NamePatterns() = default;
  // Each a name, or a pattern as fnmatch(3) has it when it holds one of * ? [ \.
  explicit NamePatterns(std::span<const std::string> patterns);

  bool empty() const { return names_.empty() && patterns_.empty(); }
  // `name` ends in a NUL, as every name that comes from the kernel or a directory does. "." and
  // ".." match nothing.
  bool Match(std::string_view name) const;
  // The same without regard to the case of ASCII letters.
  bool MatchIgnoringCase(std::string_view name) const;

 private:
  std::vector<std::string> names_;  // sorted
  std::vector<std::string> patterns_;
};

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_NAME_PATTERNS_H_
