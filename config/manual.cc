// The manual pages, in man(7).
#include <array>
#include <string>

#include "absl/strings/str_format.h"
#include "config/commands.h"
#include "config/generate.h"
#include "config/option_table.h"

namespace shuntfs {
namespace {

struct SectionTitle {
  OptionSection section;
  std::string_view title;
};
constexpr std::array<SectionTitle, 5> kSections = {{
    {OptionSection::kMount, "The mount"},
    {OptionSection::kCaching, "Caching"},
    {OptionSection::kData, "Data, memory and threads"},
    {OptionSection::kProcess, "The process"},
    {OptionSection::kOthers, "Meant for others"},
}};

// A text that troff prints as it is.
std::string Plain(std::string_view text) {
  std::string roff;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) roff += "\\&";
    line_start = c == '\n';
    if (c == '\\') {
      roff += "\\e";
    } else if (c == '-') {
      roff += "\\-";
    } else {
      roff += c;
    }
  }
  return roff;
}

std::string Bold(std::string_view text) { return "\\fB" + Plain(text) + "\\fR"; }
std::string Italic(std::string_view text) { return "\\fI" + Plain(text) + "\\fR"; }

// "entry_timeout=SECONDS", the way -o has it.
std::string Term(const OptionSpec& spec, std::string_view equals) {
  const std::string placeholder = OptionPlaceholder(spec);
  if (placeholder.empty() || !spec.is_flag()) return Bold(spec.name);
  return Bold(std::string(spec.name) + std::string(equals)) + Italic(placeholder);
}

std::string Sentence(std::string_view text) { return Plain(text) + ".\n"; }

std::string Explain(const OptionSpec& spec) {
  std::string text;
  if (spec.kind == OptionKind::kIgnored) return "Accepted without effect, " + Sentence(spec.help);
  if (spec.kind == OptionKind::kRefused) return "Refused: " + Sentence(spec.help);
  text = Sentence(spec.help) + Plain(spec.details) + "\n";
  if (spec.kind == OptionKind::kInverse) return text;
  if (!OptionPlaceholder(spec).empty()) text += "It takes " + Sentence(WhatOptionTakes(spec));
  text += "The default is " + Sentence(spec.default_text);
  if (spec.reloadable) text += "Can be changed by a reload.\n";
  return text;
}

// `in_file`: those that the file has, as its keys.
std::string OptionSections(bool in_file) {
  std::string text;
  for (const SectionTitle& section : kSections) {
    std::string rows;
    for (const OptionSpec& spec : OptionTable()) {
      if (spec.section != section.section || (in_file && !spec.in_file())) continue;
      rows += ".TP\n" + Term(spec, in_file ? " = " : "=") + "\n" + Explain(spec);
    }
    if (!rows.empty()) text += ".SS " + Plain(section.title) + "\n" + rows;
  }
  return text;
}

std::string Commands() {
  std::string text;
  for (const CommandSpec& command : CommandTable()) {
    text += ".TP\n" + Bold("shuntfs " + std::string(command.name)) +
            (command.operands.empty() ? "" : " " + Italic(command.operands)) + "\n" +
            Sentence(command.summary);
    if (command.takes_options) text += "Every option below is a flag, too.\n";
    for (const FlagSpec* flag : command.flags) {
      if (flag == nullptr) continue;
      std::string term = Bold("--" + std::string(flag->name));
      if (flag->letter != 0) term = Bold(std::string("-") + flag->letter) + ", " + term;
      if (flag->takes_value) term += "=" + Italic(flag->value_help);
      text += ".RS\n.TP\n" + term + "\n" + Sentence(flag->help) + ".RE\n";
    }
  }
  return text;
}

constexpr std::string_view kPrecedence =
    "A flag wins over \\fB\\-o\\fR, \\fB\\-o\\fR over files,\n"
    "a file \\fIFILE\\fB.d/*.toml\\fR over those before it in the order of names and over "
    "\\fIFILE\\fR,\nand all of them over the default.\n"
    "\\fBshuntfs config show\\fR prints which one won, and what follows from it.\n";

}  // namespace

std::string ManualOfCommand() {
  std::string text =
      ".TH SHUNTFS 8 \"\" shuntfs \"System Administration\"\n"
      ".SH NAME\nshuntfs \\- show a directory at another place, through FUSE, fast\n"
      ".SH SYNOPSIS\n";
  for (const CommandSpec& command : CommandTable()) {
    text += Bold("shuntfs " + std::string(command.name)) +
            (command.takes_options ? " [\\fIFLAGS\\fR]" : "") +
            (command.operands.empty() ? "" : " " + Italic(command.operands)) + "\n.br\n";
  }
  text +=
      ".SH DESCRIPTION\nA mount of shuntfs behaves like the directory that it shows: owners, "
      "modes, ACLs, extended attributes,\nhard links, sparse files and locks.\n"
      "Each mount has a process of its own.\n"
      ".SH COMMANDS\n" +
      Commands() + ".SH OPTIONS\nEach is a word of " + Bold("-o") + ", separated by commas (" +
      Bold("\\,") + " is a comma inside a value), a flag of " + Bold("shuntfs mount") +
      " with dashes for the underscores (" + Bold("--memory-budget=128M") + "), and a key of " +
      Bold("shuntfs.toml") + "(5).\nA switch is taken back with " + Bold("=off") + ".\n" +
      std::string(kPrecedence) + OptionSections(/*in_file=*/false);
  text +=
      ".SH EXIT STATUS\nThat of \\fBmount\\fR(8):\n"
      ".TP\n\\fB0\\fR\nDone.\n.TP\n\\fB1\\fR\nWrong usage, a mistake in the configuration file, or "
      "no "
      "permission.\n.TP\n\\fB2\\fR\nThe system lacks something.\n.TP\n\\fB32\\fR\nThe mount "
      "failed, or could not be ended.\n"
      ".SH SIGNALS\n.TP\n\\fBSIGHUP\\fR\nReads the configuration file again, as "
      "\\fBshuntfs reload\\fR does.\n.TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\nEnds the mount.\n"
      ".SH SEE ALSO\n\\fBshuntfs.toml\\fR(5), \\fBmount\\fR(8), \\fBfuse\\fR(4)\n";
  return text;
}

std::string ManualOfFile() {
  return ".TH SHUNTFS.TOML 5 \"\" shuntfs \"File Formats\"\n"
         ".SH NAME\nshuntfs.toml \\- a mount of shuntfs in a file\n"
         ".SH SYNOPSIS\n\\fBshuntfs mount \\-\\-config=\\fIFILE\\fR\n"
         ".SH DESCRIPTION\nThe file is TOML: lines of \\fIKEY\\fB = \\fIVALUE\\fR, without "
         "sections.\nTexts, words, and sizes with a letter are in quotes, numbers are not, and "
         "switches are \\fBtrue\\fR or \\fBfalse\\fR.\nText after \\fB#\\fR is a comment.\n.PP\n"
         "A file that root's mount reads has to belong to root and to be writable by nobody "
         "else,\nand so has the folder with its drop\\-ins.\nIt is at most 1 MiB long.\n.PP\n" +
         std::string(kPrecedence) +
         ".PP\n\\fBshuntfs config check \\fIFILE\\fR lists every mistake with its line.\n"
         ".SH KEYS\n" +
         OptionSections(/*in_file=*/true) +
         ".SH EXAMPLE\n.nf\nsource = \"/srv/data\"\nmountpoint = \"/mnt/data\"\nro = true\n"
         "memory_budget = \"128M\"\nentry_timeout = 2.5\n.fi\n"
         ".SH SEE ALSO\n\\fBshuntfs\\fR(8)\n";
}

}  // namespace shuntfs
