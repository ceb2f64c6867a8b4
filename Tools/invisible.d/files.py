"""Descriptors, folders, rights, and the file that the trace is."""

import os
import socket
import subprocess

from case import Case


def in_shell(script, *words):
    """A command of the shell in which $0 is the program."""
    return ["sh", "-c", script, "{files.c}", *words]


def read(*names):
    """What is in these files of the working folder."""

    def look(folder):
        texts = []
        for name in names:
            path = os.path.join(folder, name)
            texts.append(f"{name}: " + (open(path, errors="replace").read() if os.path.exists(path) else "not there"))
        return "\n".join(texts)

    return look


def mounted(kind, *options):
    """Mounts a file system for the traces."""

    def prepare(folder):
        out = os.path.join(folder, "out")
        os.makedirs(out)
        more = options
        if kind == "overlay":
            for name in ("lower", "upper", "inner"):
                os.makedirs(os.path.join(folder, name))
            more = (f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/inner",)
        words = ["mount", "-t", kind, *(word for option in more for word in ("-o", option)), "none", out]
        if subprocess.run(words, capture_output=True).returncode != 0:
            return None  # the traces lie in the folder itself then
        return lambda: subprocess.run(["umount", "-l", out], capture_output=True)

    return prepare


def planted(make):
    """Puts something where the trace would be."""

    def prepare(folder):
        make(os.path.join(folder, "taken"))

    return prepare


def bind(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)


def link(path):
    open(path + ".precious", "w").close()
    os.symlink(path + ".precious", path)


def precious(folder):
    """How long what was in the way is now."""
    path = os.path.join(folder, "..", "taken")
    return "".join(f"{os.path.basename(p)}: {os.path.getsize(p)}\n" for p in (path, path + ".precious") if os.path.isfile(p))


def read_only(folder):
    os.makedirs(os.path.join(folder, "closed"), mode=0o555)


def linked_folder(folder):
    """The folder of the traces is a link that somebody planted: it is followed, as any path's folders are."""
    os.makedirs(os.path.join(folder, "out"))
    os.symlink("out", os.path.join(folder, "link"))


def foreign(path):
    with open(path, "w") as file:
        file.write("somebody's own\n")
    os.chown(path, 1, 1)
    os.chmod(path, 0o600)


TAKEN = {"STATPROF_OUT": "{folder}/taken"}
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
KEPT = "trace=$(echo ../out/files.*); "

CASES = [
    *(Case(f"every descriptor closed by {how}", ["{files.c}", "closes", how]) for how in ("closefrom", "close_range", "close")),
    *(
        Case(f"without descriptors {words}", in_shell(f'exec "$0" standard {words}'), look=read("result", "zero", "one", "two"))
        for words in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-")
    ),
    *(
        Case(
            f"without descriptors {words}, a line to say",
            in_shell(f'exec "$0" standard {words}'),
            profile="nothing",
            agent={"STATPROF_OUT": "{folder}/no/such"},
            look=read("result", "zero", "one", "two"),
        )
        for words in ("2>&-", "<&- >&- 2>&-")
    ),
    Case("numbers of files, two threads tick", ["{files.c}", "beside", "opener"]),
    Case("dup2 over any number, two threads tick", ["{files.c}", "beside", "taker"]),
    Case("all closed again and again, two threads tick", ["{files.c}", "beside", "closer"]),
    Case("descriptors of children, two threads tick", ["{files.c}", "beside", "forker"]),
    *(Case(f"chroot {when} the first tick", ["{files.c}", "jail", when], root=True, profile="either") for when in ("before", "after")),
    *(Case(f"working folder removed {when} the first tick", ["{files.c}", "folder", when]) for when in ("before", "after")),
    Case("working folder removed before load", in_shell('mkdir d; cd d; rmdir ../d; exec "$0" work 0.2')),
    Case(
        "working folder removed before load, a relative name",
        ["sh", "-c", "mkdir d; cd d; rmdir ../d; unset STATPROF_SESSION; exec \"$0\" work 0.2", "{files.c}"],
        agent={"STATPROF_OUT": "x.%p"},
        profile="line",
    ),
    *(Case(f"setuid {when} the first tick", ["{files.c}", "rights", when], root=True, profile="either") for when in ("before", "after")),
    *(Case(f"umask {mask}", ["{files.c}", "mask", mask]) for mask in ("0", "077", "777")),
    *(
        Case(f"umask {mask}, nobody", [*NOBODY, "{files.c}", "mask", mask], root=True, needs=["setpriv"])
        for mask in ("0", "777")
    ),
    Case(
        "a read-only folder",
        [*NOBODY, "{files.c}", "work", "0.2"],
        profile="line",
        root=True,
        needs=["setpriv"],
        prepare=read_only,
        agent={"STATPROF_OUT": "{folder}/closed/%p"},
        launchers=("setpriv",),
    ),
    Case("/dev/full", ["{files.c}", "work", "0.2"], profile="line", agent={"STATPROF_OUT": "/dev/full"}),
    Case("/dev/null", ["{files.c}", "work", "0.2"], profile="line", agent={"STATPROF_OUT": "/dev/null"}),
    *(
        Case(f"a {name} in the way", ["{files.c}", "work", "0.2"], profile="line", agent=TAKEN, prepare=planted(make), look=precious)
        for name, make in (("FIFO", os.mkfifo), ("socket", bind), ("folder", os.mkdir), ("link", link), ("foreign file", foreign))
    ),
    Case("a folder that is a link", ["{files.c}", "work", "0.2"], agent={"STATPROF_OUT": "{folder}/link/%p"}, prepare=linked_folder),
    *(
        Case(f"the trace {what} meanwhile", in_shell(f'"$0" work 1 & sleep 0.4; {KEPT}{how}; wait $!'), profile="nothing", seconds=20)
        for what, how in (
            ("deleted", "rm -f $trace"),
            ("renamed", 'mv "$trace" ../out/other 2>/dev/null'),
            ("replaced", 'rm -f $trace; test -e "$trace" || echo mine >"$trace"; sleep 0.3; rm -f $trace'),
            ("made a folder", 'rm -f $trace; mkdir -p "$trace"; sleep 0.3; rmdir "$trace"'),
            ("made read-only", "chmod 0 $trace 2>/dev/null"),
        )
    ),
    Case("the folder of the traces removed meanwhile", in_shell('"$0" work 1 & sleep 0.4; rm -rf ../out 2>/dev/null || rm -rf ../out; wait $!'), profile="nothing"),
    Case("the folder of the traces not there", ["{files.c}", "work", "0.3"], agent={"STATPROF_OUT": "{folder}/no/such"}, profile="line"),
    Case(
        "two processes of one name",
        in_shell('"$0" work 0.2 & "$0" work 0.2 & "$0" work 0.2; wait'),
        agent={"STATPROF_OUT": "{folder}/out/same"},
        samples=10,
    ),
    *(
        Case(f"a {kind} {' '.join(options)}", ["{files.c}", "work", "1"], profile=profile, root=True, needs=["mount"], prepare=mounted(kind, *options))
        for kind, options, profile in (
            ("tmpfs", ("size=4k",), "either"),
            ("tmpfs", ("size=16k",), "either"),
            ("tmpfs", ("size=64k",), "either"),
            ("tmpfs", ("ro",), "line"),
            ("ramfs", (), "trace"),
            ("overlay", (), "trace"),
        )
    ),
]
