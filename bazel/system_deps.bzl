"""Repository rule for libraries installed on the system, found by pkg-config."""

_BUILTIN_INCLUDE_DIRS = ["/usr/include", "/usr/local/include"]

# The rule runs once per Bazel server: after (un)installing a library, `bazel
# shutdown` or `bazel sync --configure`.
#
# Every file of a -I directory is linked into the repository, so such
# directories must be a library's own (as /usr/include/fuse3 is).

def _run(ctx, args):
    result = ctx.execute(args)
    if result.return_code != 0:
        return None, result.stderr.strip()
    return result.stdout.strip(), None

def _split(text):
    return [f for f in text.replace("\n", " ").split(" ") if f]

def _quote(items):
    return "[" + ", ".join([repr(i) for i in items]) + "]"

def _library(ctx, pkg_config, name, modules, optional):
    """Returns (text of the cc_library, found)."""
    error = None
    cflags = ""
    libs = ""
    cflags, error = _run(ctx, [pkg_config, "--cflags"] + modules)
    if error == None:
        libs, error = _run(ctx, [pkg_config, "--libs"] + modules)
    if error != None:
        if not optional:
            fail("system library '%s' (%s) not found: %s\nRun tools/setup, or set PKG_CONFIG_PATH." % (name, ", ".join(modules), error))
        return 'cc_library(name = "%s")\n' % name, False

    defines = []
    copt_includes = []
    for flag in _split(cflags):
        if flag.startswith("-D"):
            if flag != "-DNOMINMAX":
                defines.append(flag[2:])
        elif flag.startswith("-I"):
            directory = flag[2:].rstrip("/")
            if directory not in _BUILTIN_INCLUDE_DIRS:
                copt_includes.append(directory)
    if optional:
        defines.append("SHUNTFS_HAVE_%s=1" % name.upper())

    # Bazel does not watch /usr/include: a version in every dependent's command
    # line makes an upgraded library rebuild them.
    version, _ = _run(ctx, [pkg_config, "--modversion", modules[0].split(" ")[0]])
    defines.append("SHUNTFS_DEP_%s=%s" % (name.upper(), version))

    includes = []
    for i in range(len(copt_includes)):
        link = "include/%s/%d" % (name, i)
        ctx.symlink(copt_includes[i], link)
        includes.append(link)

    linkopts = []
    for flag in _split(libs):
        linkopts.append(flag)
        if flag.startswith("-L"):
            linkopts.append("-Wl,-rpath," + flag[2:])

    text = "cc_library(\n    name = %s,\n" % repr(name)
    if includes:
        text += "    hdrs = glob(%s),\n" % _quote([i + "/**" for i in includes])
        text += "    includes = %s,\n" % _quote(includes)
    if defines:
        text += "    defines = %s,\n" % _quote(defines)
    text += "    linkopts = %s,\n)\n" % _quote(linkopts)
    return text, True

def _system_deps_impl(ctx):
    pkg_config = ctx.os.environ.get("PKG_CONFIG") or ctx.which("pkg-config")
    if not pkg_config:
        fail("pkg-config not found: apt-get install pkg-config")

    build = 'load("@rules_cc//cc:defs.bzl", "cc_library")\n\n'
    build += 'package(default_visibility = ["//visibility:public"])\n'
    have = {}
    for name, modules in ctx.attr.required.items():
        text, _ = _library(ctx, pkg_config, name, modules, False)
        build += "\n" + text
    for name, modules in ctx.attr.optional.items():
        text, found = _library(ctx, pkg_config, name, modules, True)
        build += "\n" + text
        have[name] = found
    ctx.file("BUILD.bazel", build)
    ctx.file("have.bzl", '"""Which optional system libraries were found."""\n\nHAVE = %s\n' % repr(have))
    ctx.file("WORKSPACE", 'workspace(name = "%s")\n' % ctx.name)

system_deps = repository_rule(
    implementation = _system_deps_impl,
    attrs = {
        "optional": attr.string_list_dict(),
        "required": attr.string_list_dict(),
    },
    configure = True,
    environ = ["PATH", "PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR"],
    local = True,
)
