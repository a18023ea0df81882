#include "core/name_patterns.h"

#include <fnmatch.h>
#include <strings.h>

#include <algorithm>

namespace shuntfs {

NamePatterns::NamePatterns(std::span<const std::string> patterns) {
  for (const std::string& pattern : patterns) {
    if (pattern.find_first_of("*?[\\") == std::string::npos) {
      names_.push_back(pattern);
    } else {
      patterns_.push_back(pattern);
    }
  }
  std::sort(names_.begin(), names_.end());
}

bool NamePatterns::MatchIgnoringCase(std::string_view name) const {
  if (name == "." || name == "..") return false;
  const auto same = [name](const std::string& hidden) {
    return strcasecmp(hidden.c_str(), name.data()) == 0;
  };
  const auto fits = [name](const std::string& pattern) {
    return fnmatch(pattern.c_str(), name.data(), FNM_CASEFOLD) == 0;
  };
  return std::ranges::any_of(names_, same) || std::ranges::any_of(patterns_, fits);
}

bool NamePatterns::Match(std::string_view name) const {
  if (name == "." || name == "..") return false;
  if (std::binary_search(names_.begin(), names_.end(), name)) return true;
  return std::any_of(patterns_.begin(), patterns_.end(), [name](const std::string& pattern) {
    return fnmatch(pattern.c_str(), name.data(), 0) == 0;
  });
}

}  // namespace shuntfs
