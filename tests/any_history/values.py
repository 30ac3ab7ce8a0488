"""What a user may write, and which git commands may be given."""

from __future__ import annotations

from hypothesis import strategies as st

TREES = st.sampled_from(["main", "main", "linked", "submodule"])
SUBMODULE = "parts/lib"

NAMES = st.sampled_from(
    ["a.py", "b.py", "lib/a.py", "lib/c.go", "lib", "build/out.py", "docs/read me.md", "t\u00fcr.c", "x.bin", "h.h"]
)
CONTENTS = st.sampled_from(
    [
        b"def one():\n    return 1\n",
        b"def one():\r\n    return 1\r\n\r\n\r\ndef two():\r\n    return 2\r\n",
        b"# $Id$\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n",
        b"package lib\n\nfunc Three() int {\n\treturn 3\n}\n",
        b"# Title\n\nSome words.\n\n## Part\n\nMore words.\n",
        "int four(void) {\n  return 'gr\u00f6\u00dfer';\n}\n".encode(),
        "int four(void) {\n  return 'gr\u00f6\u00dfer';\n}\n".encode("latin-1"),
        b"\xff\xfe" + "int five(void) {\n  return 5;\n}\n".encode("utf-16-le"),
        "int five(void) {\n  return 5;\n}\n".encode("utf-16-le"),
        b"\0binary\0",
        b"",
        b"one line without an end",
    ]
)

IGNORE_FILES = st.sampled_from([".gitignore", ".kuberianignore"])
FOLDERS = st.sampled_from(["", "", "lib", "build"])
# With the ends that editors on other systems leave, in other encodings, and with signs that are no pattern.
IGNORE_LINES = st.lists(
    st.sampled_from(
        [
            b"*.go\n",
            b"lib/\n",
            b"!a.py\n",
            b"build/\n",
            b"!build/\n",
            b"!build/\r\n",
            b"\xef\xbb\xbf*.py\n",
            b"*.c\r\n",
            b"lib/ \t \n",
            b"a.py\\ \n",
            b"*.h\0\n",
            b"t\xfcr.c\n",
            "t\u00fcr.c\n".encode(),
            b"\\!a.py\n",
            b"# *.py\n",
            b"[a-\n",
            b"/lib/**\n!/lib/a.py\n",
            b"b.py\x0ca.py\n",
            b"*.md",
        ]
    ),
    max_size=3,
)
ATTRIBUTE_LINES = st.lists(
    st.sampled_from(
        [
            b"*.py text eol=crlf\n",
            b"* text=auto\n",
            b"*.c -text\r\n",
            b"*.md binary\n",
            b"*.c text working-tree-encoding=UTF-16LE-BOM\n",
            b"*.c text working-tree-encoding=UTF-16LE\n",
            b"*.c working-tree-encoding=ISO-8859-1\n",
            b"*.py ident\n",
            b"*.go export-ignore\n",
            b"*.py filter=spelled\n",
            b"*.h linguist-language=C++\n",
            b"lib/** linguist-generated\n",
            b"*.md -linguist-documentation\n",
            b"[attr]odd\n",
            b"\xef\xbb\xbf*.go linguist-vendored\n",
        ]
    ),
    max_size=3,
)

BRANCHES = ("main", "side", "other")
GIT_COMMANDS = st.sampled_from(
    [
        ("add", "-A"),
        ("add", "-A"),
        ("reset", "-q", "--hard"),
        ("reset", "-q", "--soft", "HEAD~1"),
        ("stash", "-u"),
        ("stash", "pop"),
        ("merge", "-q", "side"),
        ("merge", "--abort"),
        ("checkout", "-q", "--detach"),
        ("checkout", "-q", "-f", "HEAD~1"),
        ("checkout", "-q", "."),
        ("clean", "-fdq"),
        ("rm", "-rq", "--cached", "lib"),
        ("update-index", "--assume-unchanged", "a.py"),
        ("update-index", "--no-assume-unchanged", "a.py"),
        ("update-index", "--skip-worktree", "lib/a.py"),
        ("update-index", "--no-skip-worktree", "lib/a.py"),
        ("update-index", "--chmod=+x", "b.py"),
        ("update-index", "--split-index"),
        ("update-index", "--untracked-cache"),
        ("config", "core.autocrlf", "true"),
        ("config", "core.autocrlf", "false"),
        ("repack", "-adq"),
        ("pack-refs", "--all"),
        ("gc", "-q", "--prune=now"),
    ]
)
SPARSE = st.sampled_from(
    [
        ("set", "--cone", "lib"),
        ("set", "--cone", "--sparse-index", "docs"),
        ("set", "--no-cone", "/*", "!/lib/"),
        ("set", "--no-cone", "*.py"),
        ("add", "lib"),
        ("add", "docs", "parts"),
        ("reapply",),
        ("disable",),
    ]
)
FETCHES = st.sampled_from(
    [
        ("fetch", "-q"),
        ("fetch", "-q", "--deepen=1"),
        ("fetch", "-q", "--depth=1"),
        ("fetch", "-q", "--unshallow"),
        ("pull", "-q", "--no-rebase", "--no-edit"),
        ("checkout", "-q", "-f", "-B", "main", "origin/main"),
    ]
)
SUBMODULES = st.sampled_from(
    [
        ("add", "-q", "--force", "../library", SUBMODULE),
        ("add", "-q", "--force", "../library", SUBMODULE),
        ("update", "-q", "--init", "--recursive"),
        ("update", "-q", "--init", "--force", "--remote"),
        ("deinit", "-q", "-f", "--all"),
    ]
)
REVISIONS = st.sampled_from(["HEAD", "HEAD~1", "side", "v1", "origin/main", "HEAD^2"])
KINDS = st.sampled_from(["plain", "new", "sha256", "shallow", "partial"])
