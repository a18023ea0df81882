#include "config/option_table.h"

#include <algorithm>
#include <array>

#include "core/base/limits.h"

namespace shuntfs {
namespace {

using V = const OptionValue&;
using O = Options*;
using enum OptionKind;

constexpr double kYear = 365.0 * 86400;
constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr std::string_view kPolicies = "auto|fixed|plain";

constexpr OptionSpec Inverse(std::string_view name, std::string_view of, std::string_view help) {
  return {.name = name,
          .kind = kInverse,
          .section = OptionSection::kMount,
          .of = of,
          .help = help,
          .details = "Takes back what the configuration file or an earlier option said."};
}

constexpr OptionSpec Ignored(std::string_view name, std::string_view help) {
  return {.name = name, .kind = kIgnored, .help = help};
}

constexpr auto kTable = std::to_array<OptionSpec>({
    {.name = "config",
     .kind = kPath,
     .section = OptionSection::kMount,
     .places = OptionPlaces::kNotInFile,
     .default_text = "none",
     .help = "the configuration file to read",
     .details = "Files below FILE.d whose names end in .toml are read after it, in the order of "
                "their names. Flags win over -o, -o wins over the files, and a later file wins "
                "over an earlier one.",
     .apply = [](V v, O o) { o->config_file = v.text; }},
    {.name = "source",
     .kind = kPath,
     .section = OptionSection::kMount,
     .places = OptionPlaces::kNotInList,
     .default_text = "the operand SRC",
     .help = "the directory that is shown",
     .details = "Only needed where no operands name it.",
     .apply = [](V v, O o) { o->source = v.text; }},
    {.name = "mountpoint",
     .kind = kPath,
     .section = OptionSection::kMount,
     .places = OptionPlaces::kNotInList,
     .default_text = "the operand MNT",
     .help = "the empty directory that it is shown at",
     .details = "Only needed where no operands name it.",
     .apply = [](V v, O o) { o->mountpoint = v.text; }},
    {.name = "ro",
     .kind = kSwitch,
     .section = OptionSection::kMount,
     .default_text = "off",
     .help = "mount read-only",
     .details = "Every change is refused with EROFS, root's too.",
     .apply = [](V v, O o) { o->read_only = v.on; }},
    Inverse("rw", "ro", "mount read-write (the default)"),
    {.name = "nosuid",
     .kind = kSwitch,
     .section = OptionSection::kMount,
     .default_text = "off",
     .help = "ignore set-user-ID bits and file capabilities",
     .details = "Mounts of ordinary users always do.",
     .apply = [](V v, O o) { o->nosuid = v.on; }},
    Inverse("suid", "nosuid", "undo nosuid"),
    {.name = "nodev",
     .kind = kSwitch,
     .section = OptionSection::kMount,
     .default_text = "off",
     .help = "device nodes cannot be opened",
     .details = "Mounts of ordinary users never let them.",
     .apply = [](V v, O o) { o->nodev = v.on; }},
    Inverse("dev", "nodev", "undo nodev"),
    {.name = "noexec",
     .kind = kSwitch,
     .section = OptionSection::kMount,
     .default_text = "off",
     .help = "programs cannot be run",
     .details = "The kernel refuses to execute any file of the mount.",
     .apply = [](V v, O o) { o->noexec = v.on; }},
    Inverse("exec", "noexec", "undo noexec"),
    {.name = "noatime",
     .kind = kSwitch,
     .section = OptionSection::kMount,
     .default_text = "off",
     .help = "reading does not update access times",
     .details = "Of root's mounts it holds for the backing files as well, except with the data "
                "path kernel.",
     .apply = [](V v, O o) { o->noatime = v.on; }},
    Inverse("atime", "noatime", "undo noatime"),
    {.name = "allow_other",
     .kind = kSwitch,
     .section = OptionSection::kMount,
     .default_text = "on for root",
     .help = "every user may enter the mount (the default of root)",
     .details = "Ordinary users may say so when /etc/fuse.conf has user_allow_other.",
     .apply = [](V v, O o) { o->allow_other = v.on; }},
    {.name = "allow_root",
     .kind = kSwitch,
     .section = OptionSection::kMount,
     .default_text = "off",
     .help = "root's mount that only root may enter",
     .details = "Contradicts allow_other.",
     .apply = [](V v, O o) { o->allow_root = v.on; }},
    {.name = "default_permissions",
     .kind = kSwitch,
     .section = OptionSection::kMount,
     .default_text = "on for root",
     .help = "the kernel checks modes and ACLs (the default of root)",
     .details = "Without it everybody who may enter acts with the rights of who mounted.",
     .apply = [](V v, O o) { o->default_permissions = v.on; }},
    {.name = "fsname",
     .section = OptionSection::kMount,
     .default_text = "SRC",
     .help = "the source that mount tables show",
     .details = "findmnt and df print it.",
     .apply = [](V v, O o) { o->fsname = v.text; }},
    {.name = "subtype",
     .kind = kRefused,
     .help = "the type is always fuse.shuntfs: status and umount find mounts by it"},
    {.name = "cache",
     .kind = kShorthand,
     .section = OptionSection::kCaching,
     .reloadable = true,
     .default_text = "auto",
     .choices = "none|auto|always",
     .stands_for = "entry_timeout=0,attr_timeout=0,negative_timeout=0|"
                   "entry_timeout=1,attr_timeout=1,negative_timeout=0|"
                   "entry_timeout=31536000,attr_timeout=31536000,negative_timeout=31536000",
     .help = "how long the kernel trusts names and attributes, in one word",
     .details = "none asks every time, auto is right where SRC may change behind the mount now and "
                "then, always is for a SRC that changes through the mount alone. A timeout that is "
                "given itself in the same place (the file, -o, the flags) wins over the word."},
    {.name = "entry_timeout",
     .kind = kSeconds,
     .section = OptionSection::kCaching,
     .reloadable = true,
     .default_text = "1",
     .max = kYear,
     .help = "how long the kernel trusts a name that it looked up",
     .details = "0 looks up every component of every path again.",
     .apply = [](V v, O o) { o->entry_timeout_s = v.number; }},
    {.name = "attr_timeout",
     .kind = kSeconds,
     .section = OptionSection::kCaching,
     .reloadable = true,
     .default_text = "1",
     .max = kYear,
     .help = "how long the kernel trusts attributes",
     .details = "A change of size or time behind the mount shows after this time at the latest.",
     .apply = [](V v, O o) { o->attr_timeout_s = v.number; }},
    {.name = "negative_timeout",
     .kind = kSeconds,
     .section = OptionSection::kCaching,
     .reloadable = true,
     .default_text = "0",
     .max = kYear,
     .help = "how long the kernel remembers that a name does not exist",
     .details = "Worth while for programs that search along paths, where nothing but the mount "
                "makes files.",
     .apply = [](V v, O o) { o->negative_timeout_s = v.number; }},
    {.name = "writeback",
     .kind = kSwitch,
     .section = OptionSection::kCaching,
     .default_text = "off",
     .help = "the kernel gathers writes; only when nothing else changes SRC meanwhile",
     .details = "Small writes become few large ones. What is gathered is lost when the machine "
                "stops before fsync, as with any file system. Contradicts the data path kernel.",
     .apply = [](V v, O o) { o->writeback = v.on; }},
    {.name = "backing_direct",
     .kind = kSwitch,
     .section = OptionSection::kCaching,
     .default_text = "off",
     .help = "file data passes by the page cache of SRC (O_DIRECT) where it can",
     .details = "Whole sectors do, so that nothing is cached twice; the rest is served as ever. "
                "No effect with the data path kernel.",
     .apply = [](V v, O o) { o->backing_direct = v.on; }},
    {.name = "data_path",
     .kind = kChoice,
     .section = OptionSection::kData,
     .default_text = "auto",
     .choices = "auto|zero-copy|buffer-pool|per-entry|device|kernel",
     .help = "how file data moves; a mode that is named is used or the mount fails",
     .details = "auto takes the best of zero-copy, buffer-pool, per-entry and device that the "
                "kernel and the caller's rights allow, and logs why it was none better. shuntfs "
                "probe tells which those are.",
     .apply = [](V v, O o) { o->data_path = v.text; }},
    {.name = "memory_budget",
     .kind = kBytes,
     .section = OptionSection::kData,
     .default_text = "64M",
     .min = 1 << 20,
     .max = 256 * kGiB,
     .help = "memory for requests in flight; decides the entries per queue",
     .details = "It is pinned for the life of the mount and shared by the queues of all possible "
                "CPUs. shuntfs config show tells what follows from it.",
     .apply = [](V v, O o) { o->memory_budget_bytes = v.integer; }},
    {.name = "max_write",
     .kind = kBytes,
     .section = OptionSection::kData,
     .default_text = "1M",
     .min = kMinWriteBytes,
     .max = kMaxWriteBytes,
     .help = "largest single request, a multiple of 4K",
     .details = "Requests become smaller than this when the memory budget has no room for enough "
                "of them.",
     .check =
         [](const std::string& text) {
           // The range was checked: this is about numbers that are not whole pages.
           const absl::StatusOr<OptionValue> value =
               ReadOptionValue({.name = "", .kind = kBytes, .max = kMaxWriteBytes}, text);
           return value.ok() && value->integer % 4096 != 0
                      ? "is \"" + text + "\"; it has to be a multiple of 4K"
                      : std::string();
         },
     .apply = [](V v, O o) { o->max_write_bytes = static_cast<uint32_t>(v.integer); }},
    {.name = "workers",
     .kind = kCount,
     .section = OptionSection::kData,
     .default_text = "0",
     .max = 4096,
     .help = "threads that serve rings; 0 is one per CPU",
     .details = "Each serves the queues of one or more CPUs.",
     .apply = [](V v, O o) { o->workers = static_cast<uint32_t>(v.integer); }},
    {.name = "device_threads",
     .kind = kCount,
     .section = OptionSection::kData,
     .default_text = "0",
     .max = kMaxDeviceThreads,
     .help = "threads that read /dev/fuse; 0 grows them on demand",
     .details = "Counts with the data paths device and kernel only.",
     .apply = [](V v, O o) { o->device_threads = static_cast<uint32_t>(v.integer); }},
    {.name = "read_policy",
     .kind = kChoice,
     .section = OptionSection::kData,
     .default_text = "auto",
     .choices = kPolicies,
     .help = "file data is read with READ_FIXED, with pread, or as suits SRC's file system",
     .details = "plain leaves files out of zero-copy.",
     .apply = [](V v, O o) { o->read_policy = v.text; }},
    {.name = "write_policy",
     .kind = kChoice,
     .section = OptionSection::kData,
     .default_text = "auto",
     .choices = kPolicies,
     .help = "file data is written with WRITE_FIXED, with pwrite, or as suits SRC's file system",
     .details = "plain leaves files out of zero-copy.",
     .apply = [](V v, O o) { o->write_policy = v.text; }},
    {.name = "stop_timeout",
     .kind = kSeconds,
     .section = OptionSection::kProcess,
     .reloadable = true,
     .default_text = "5",
     .max = 3600,
     .help = "how long a busy mount is still served after a stop was asked for",
     .details = "Afterwards its users get errors. A second signal shortens it.",
     .apply = [](V v, O o) { o->stop_timeout_s = v.number; }},
    {.name = "log_level",
     .kind = kCount,
     .section = OptionSection::kProcess,
     .reloadable = true,
     .default_text = "2",
     .max = 9,
     .help = "0 errors, 1 warnings, 2 notices, 3 and more details",
     .details = "The log of a daemon goes to syslog, with shuntfs mount -f to stderr.",
     .apply = [](V v, O o) { o->log_level = static_cast<int>(v.integer); }},
    Ignored("defaults", "for fstab(5)"),
    Ignored("auto", "for fstab(5)"),
    Ignored("noauto", "for fstab(5)"),
    Ignored("user", "for mount(8)"),
    Ignored("nouser", "for mount(8)"),
    Ignored("users", "for mount(8)"),
    Ignored("nofail", "for systemd.mount(5)"),
    Ignored("_netdev", "for systemd.mount(5)"),
    Ignored("group", "for mount(8)"),
    Ignored("owner", "for mount(8)"),
    Ignored("relatime", "the kernel's default"),
    Ignored("comment", "for fstab(5)"),
    Ignored("x-*", "for whoever reads fstab(5)"),
});

bool Matches(const OptionSpec& spec, std::string_view name) {
  if (spec.name.back() != '*') return spec.name == name;
  return name.starts_with(spec.name.substr(0, spec.name.size() - 1));
}

}  // namespace

std::span<const OptionSpec> OptionTable() { return kTable; }

const OptionSpec* FindOption(std::string_view name) {
  const auto* spec =
      std::ranges::find_if(kTable, [name](const OptionSpec& each) { return Matches(each, name); });
  return spec == kTable.end() ? nullptr : spec;
}

}  // namespace shuntfs
