// Names that lead to a hidden name of SRC in another case, in a directory that disregards case
// (ext4 and f2fs with chattr +F, vfat, ntfs3, cifs).
//
// Floor 2. Any thread. That a directory disregards case is seen by what it answers: the same name
// in lower or upper case leads to the same file. Only names that a pattern matches without regard
// to case cost these questions. Case is that of ASCII letters.
#ifndef SHUNTFS_CORE_HIDDEN_SPELLING_H_
#define SHUNTFS_CORE_HIDDEN_SPELLING_H_

#include <optional>
#include <string_view>

#include "core/file_system.h"
#include "core/policy.h"

namespace shuntfs {

// Whether `name` (a C string) in the directory is a hidden name in another case. A name that is not
// there is none.
bool IsHiddenSpelling(const Policy& policy, int directory_fd, std::string_view name);

// The answer to a request that names such a file: as if it were hidden itself. None: it names none.
std::optional<Action> RefuseHiddenSpelling(FileSystem& fs, const Policy& policy, const Call& call);

}  // namespace shuntfs

#endif  // SHUNTFS_CORE_HIDDEN_SPELLING_H_
