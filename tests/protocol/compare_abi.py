#!/usr/bin/env python3
"""Compares core/protocol/abi.h with a kernel's linux/fuse.h, by generating a C++ program that does.

Usage: compare_abi.py ABI_HEADER KERNEL_HEADER

From our names the kernel's follow by rule (SetattrIn: fuse_setattr_in; kFopenStream: FOPEN_STREAM;
kInitExt: FUSE_INIT_EXT). For every struct the program compares size, and offset and size of every member;
for every constant and opcode, the value. A name of ours that no rule and no exception below explains is an error,
and so is an opcode of the kernel's that we do not have.
"""
import os
import re
import subprocess
import sys
import tempfile

# Structs whose kernel names differ from the rule.
STRUCTS = {
    "DirentPlus": "fuse_direntplus",
    "UringRegisterReq": "fuse_uring_cmd_req",
}
# Members that are called or nested differently: {(ours, member): the kernel's names, newest first}.
MEMBERS = {
    ("UringEntInOut", "offset"): ("offset", "padding"),
    ("UringCmdReq", "bufpool_uaddr"): ("bufpool.uaddr",),
    ("UringCmdReq", "bufpool_len"): ("bufpool.len",),
    ("UringCmdReq", "bufpool_reserved"): ("bufpool.reserved",),
}
# Members of ours that only fill up what the kernel's struct has as another member of a union.
FILLERS = {("UringRegisterReq", "rest")}
# Constants whose kernel names differ from every rule.
CONSTANTS = {
    "kExtMaxNrSecctx": "FUSE_MAX_NR_SECCTX",
    "kUringInOutSize": "FUSE_URING_IN_OUT_HEADER_SZ",
    "kUringOpInSize": "FUSE_URING_OP_IN_OUT_SZ",
    "kInitAtomicOTrunc": "FUSE_ATOMIC_O_TRUNC",
}
# Ours alone: what they mean has no name in the kernel's header.
OURS = {
    "kKernelMinorVersion": "the minor version abi.h was written for; later ones only add",
    "kMinKernelMinorVersion": "the oldest kernel we serve",
    "kOpcodeEnd": "one behind the last opcode",
    "kCompatInitInSize": "the first four words of fuse_init_in",
}
# A prefix of ours: those of the kernel's that may stand for it, in the order to try.
PREFIXES = [
    ("kInit", ("FUSE_",)),
    ("kFopen", ("FOPEN_",)),
    ("kSetattr", ("FATTR_",)),
    ("kUringCmd", ("FUSE_IO_URING_CMD_",)),
    ("k", ("FUSE_",)),
]
# Opcodes that no file system ever receives.
FOREIGN_OPCODES = {"CUSE_INIT", "CUSE_INIT_BSWAP_RESERVED", "FUSE_INIT_BSWAP_RESERVED"}


def snake(name):
    """SetattrIn -> setattr_in; COPY is one word, as are digits with what they follow."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def strip_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def members_of(body):
    """The names of the members in the body of a struct that nests none."""
    members = []
    for statement in body.split(";"):
        declarator = re.search(r"(\w+)\s*(\[[^\]]*\]\s*)*$", statement.strip())
        if declarator:
            members.append(declarator.group(1))
    return members


def our_structs(text):
    return {name: members_of(body) for name, body in re.findall(r"\nstruct (\w+) \{(.*?)\n\};", text, re.S)}


def our_constants(text):
    return re.findall(r"inline constexpr [\w ]+ (k\w+)\s*=", text)


def our_opcodes(text):
    body = re.search(r"enum class Opcode[^{]*\{(.*?)\};", text, re.S).group(1)
    return re.findall(r"(k\w+)\s*=", body)


class Kernel:
    """What names the kernel's header has."""

    def __init__(self, text):
        self.structs = set(re.findall(r"struct (fuse_\w+)\s*\{", text))
        self.constants = set(re.findall(r"#define\s+(\w+)\s+\S", text))
        for body in re.findall(r"enum\s+\w+\s*\{(.*?)\}", text, re.S):
            self.constants |= set(re.findall(r"^\s*(\w+)", body, re.M))
        body = re.search(r"enum fuse_opcode\s*\{(.*?)\}", text, re.S).group(1)
        self.opcodes = set(re.findall(r"^\s*(\w+)\s*=", body, re.M)) - FOREIGN_OPCODES
        self.text = text

    def members(self, struct):
        body = re.search(r"struct %s\s*\{(.*?)\n\};" % struct, self.text, re.S).group(1)
        return set(re.findall(r"(\w+)\s*(?:\[[^\]]*\])*\s*;", body))

    def constant(self, ours):
        if ours in CONSTANTS:
            return CONSTANTS[ours] if CONSTANTS[ours] in self.constants else None
        for prefix, theirs in PREFIXES:
            if ours.startswith(prefix):
                for candidate in theirs:
                    name = candidate + snake(ours[len(prefix):]).upper()
                    if name in self.constants:
                        return name
        return None


def generate(ours_text, kernel):
    """(the program's checks, how many things they compare, names that could not be explained)"""
    checks, missing = [], []
    for struct, members in our_structs(ours_text).items():
        theirs = STRUCTS.get(struct, "fuse_" + snake(struct))
        if theirs not in kernel.structs:
            missing.append(f"struct {struct}: the kernel has no {theirs}")
            continue
        known = kernel.members(theirs)
        # A flexible array at the end, like the name of a directory entry, has no member with us.
        checks.append(f'Same("sizeof({theirs})", sizeof(shuntfs::abi::{struct}), sizeof({theirs}));')
        for member in members:
            if (struct, member) in FILLERS:
                continue
            candidates = [name for name in MEMBERS.get((struct, member), (member, "__" + member))
                          if name.split(".")[-1] in known]
            if not candidates:
                missing.append(f"{struct}::{member}: {theirs} has no such member")
                continue
            their_member = candidates[0]
            checks.append(
                f'Same("offset of {theirs}.{their_member}", offsetof(shuntfs::abi::{struct}, {member}), '
                f"offsetof({theirs}, {their_member}));")
            checks.append(
                f'Same("size of {theirs}.{their_member}", sizeof(shuntfs::abi::{struct}::{member}), '
                f"sizeof({theirs}::{their_member}));")
    for constant in our_constants(ours_text):
        if constant in OURS:
            continue
        theirs = kernel.constant(constant)
        if theirs is None:
            missing.append(f"{constant}: the kernel has no constant of that name")
            continue
        checks.append(f'Same("{theirs}", shuntfs::abi::{constant}, {theirs});')
    mapped = set()
    for opcode in our_opcodes(ours_text):
        theirs = re.sub(r"(?<=[A-Z])64$", "_64", "FUSE_" + snake(opcode[1:]).upper())
        if theirs not in kernel.opcodes:
            missing.append(f"Opcode::{opcode}: the kernel has no {theirs}")
            continue
        mapped.add(theirs)
        checks.append(f'Same("{theirs}", static_cast<uint32_t>(shuntfs::abi::Opcode::{opcode}), {theirs});')
    missing += [f"{opcode}: an opcode that abi.h lacks" for opcode in sorted(kernel.opcodes - mapped)]
    return checks, missing


PROGRAM = """
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include "kernel_fuse.h"
#include "abi.h"

static int mismatches = 0;

static void Same(const char* what, unsigned long long ours, unsigned long long kernels) {
  if (ours == kernels) return;
  ++mismatches;
  printf("%%s: %%llu (0x%%llx) in abi.h, %%llu (0x%%llx) in the kernel's header\\n", what, ours, ours, kernels, kernels);
}

int main() {
  %s
  return mismatches == 0 ? 0 : 1;
}
"""


def main():
    abi_path, kernel_path = sys.argv[1:3]
    with open(abi_path, encoding="utf-8") as file:
        ours_text = strip_comments(file.read())
    with open(kernel_path, encoding="utf-8") as file:
        kernel_raw = file.read()
    kernel = Kernel(strip_comments(kernel_raw))
    version = re.search(r"#define FUSE_KERNEL_MINOR_VERSION (\d+)", kernel_raw).group(1)
    checks, missing = generate(ours_text, kernel)
    print(f"{len(checks)} comparisons with {os.path.basename(kernel_path)} (FUSE 7.{version})")
    for line in missing:
        print(line)
    with tempfile.TemporaryDirectory() as work:
        for name, path in (("abi.h", abi_path), ("kernel_fuse.h", kernel_path)):
            os.symlink(os.path.abspath(path), os.path.join(work, name))
        source = os.path.join(work, "compare.cc")
        program = os.path.join(work, "compare")
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM % "\n  ".join(checks))
        subprocess.run(["g++", "-std=c++20", "-Wno-invalid-offsetof", "-w", "-I", work, source, "-o", program],
                       check=True)
        equal = subprocess.run([program]).returncode == 0
    # A rule that stopped matching must not look like agreement.
    enough = len(checks) > 300
    if not enough:
        print("too few comparisons: has the style of one of the headers changed?")
    sys.exit(0 if equal and not missing and enough else 1)


if __name__ == "__main__":
    main()
