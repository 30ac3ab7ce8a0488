"""Rows of the language table for prose, settings, schemas and build files that are outlined by their lines.

One line says it all (Markdown, Make), or there is no wheel (Protobuf).
"""

from __future__ import annotations

from indexer.languages.language import Language, LineRule

_HASH = ("#",)
_PERCENT = ("%",)

_PROTO = (
    LineRule("message", r"\s*(?:message|extend|oneof|group)\s+(?P<name>[\w.]+)\s*\{"),
    LineRule("enum", r"\s*enum\s+(?P<name>\w+)\s*\{"),
    LineRule("service", r"\s*service\s+(?P<name>\w+)\s*\{"),
    LineRule("method", r"\s*rpc\s+(?P<name>\w+)"),
    LineRule("field", r"\s*(?:[\w.]+\s+)*(?:map<.*>\s*)?(?P<name>\w+)\s*=\s*\d+", own=False, inside="message"),
    LineRule("constant", r"\s*(?P<name>\w+)\s*=\s*-?\w+", own=False, inside="enum"),
)
# A notebook is JSON whose strings are lines of code and of Markdown. What a cell prints or draws ends it.
_NOTEBOOK = (
    LineRule("section", r'\s*"(?P<level>#{1,6})[ \t]+(?P<name>[^"\\]+)', ends="next"),
    LineRule("class", r'\s*"class\s+(?P<name>\w+)', ends="next"),
    LineRule("function", r'\s*"(?:async\s+)?def\s+(?P<name>\w+)', ends="next"),
    LineRule("end", r'\s*"(?P<name>cell_type|outputs|metadata)":', ends="next"),
)

ROWS: tuple[Language, ...] = (
    Language(
        name="markdown",
        prose=True,
        extensions=("md", "markdown", "mdown", "mkd", "mdx", "qmd", "rmd"),
        filenames=("README",),
        lines=(LineRule("section", r"(?P<level>#{1,6})[ \t]+(?P<name>[^#\s].*?)[ \t#]*$", ends="next"),),
        fence=r"\s{0,3}(?:```|~~~)",
        line_comment=(),
        block_comment=("<!--", "-->"),
    ),
    Language(
        name="jupyter",
        extensions=("ipynb",),
        lines=_NOTEBOOK,
        line_comment=(),
        block_comment=None,
    ),
    Language(
        name="rst",
        prose=True,
        extensions=("rst", "rest"),
        lines=(LineRule("section", r"(?P<name>\S[^\n]*)\n(?P<level>)([=\-~^\"'*+#`])\3{2,}\s*$", ends="next"),),
        line_comment=(),
        block_comment=None,
    ),
    Language(
        name="asciidoc",
        prose=True,
        extensions=("adoc", "asciidoc"),
        lines=(LineRule("section", r"(?P<level>={1,6})[ \t]+(?P<name>\S.*)$", ends="next"),),
        fence=r"-{4,}\s*$",
    ),
    Language(
        name="org",
        prose=True,
        extensions=("org",),
        lines=(LineRule("section", r"(?P<level>\*{1,8})[ \t]+(?P<name>\S.*)$", ends="next"),),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="latex",
        prose=True,
        extensions=("tex", "sty", "cls"),
        lines=(
            LineRule(
                "section", r"\s*\\(?P<level>(?:sub){0,2})(?:section|chapter|paragraph)\*?\{(?P<name>[^}]*)", ends="next"
            ),
            LineRule("macro", r"\s*\\(?:re)?newcommand\*?\{?\\(?P<name>\w+)"),
        ),
        line_comment=_PERCENT,
        block_comment=None,
    ),
    Language(
        name="dockerfile",
        extensions=("dockerfile", "containerfile"),
        filenames=("Dockerfile", "Containerfile", "Dockerfile.dev", "Dockerfile.test", "Dockerfile.prod"),
        lines=(
            LineRule("stage", r"(?i:FROM)\s+(?:--\S+\s+)*(?:\S+\s+(?i:AS)\s+)?(?P<name>\S+)", ends="next"),
            LineRule("variable", r"(?i:ARG|ENV)\s+(?P<name>\w+)", own=False),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="make",
        extensions=("mk", "mak", "make"),
        filenames=("Makefile", "GNUmakefile", "BSDmakefile", "Makefile.am", "Makefile.in", "Justfile"),
        shebangs=("make",),
        lines=(
            LineRule("target", r"(?P<name>[^\s:#=.][^:#=]*?)\s*::?(?!=)(?:[^=]|$)", ends="indent"),
            LineRule("macro", r"define\s+(?P<name>\S+)", ends="indent"),
            LineRule("variable", r"\s*(?:export\s+|override\s+)?(?P<name>[A-Za-z_][\w.\-]*)\s*[:?+!]*=", own=False),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="cmake",
        extensions=("cmake",),
        filenames=("CMakeLists.txt",),
        lines=(
            LineRule("function", r"(?i:function)\s*\(\s*(?P<name>\w+)", ends="indent"),
            LineRule("macro", r"(?i:macro)\s*\(\s*(?P<name>\w+)", ends="indent"),
            LineRule(
                "target", r"(?i:add_(?:library|executable|custom_target|test))\s*\(\s*(?P<name>[^\s)]+)", ends="indent"
            ),
            LineRule("variable", r"\s*(?i:set|option)\s*\(\s*(?P<name>\w+)", own=False),
        ),
        line_comment=_HASH,
        block_comment=("#[[", "]]"),
    ),
    Language(
        name="protobuf",
        extensions=("proto", "protodevel"),
        lines=_PROTO,
    ),
    Language(
        name="thrift",
        extensions=("thrift",),
        lines=(
            LineRule("struct", r"\s*(?:struct|union|exception)\s+(?P<name>\w+)"),
            LineRule("enum", r"\s*enum\s+(?P<name>\w+)"),
            LineRule("service", r"\s*service\s+(?P<name>\w+)"),
            LineRule("type", r"\s*typedef\s+\S+\s+(?P<name>\w+)", own=False),
            LineRule("constant", r"\s*const\s+\S+\s+(?P<name>\w+)", own=False),
            LineRule(
                "field", r"\s*\d+\s*:\s*(?:required\s+|optional\s+)?\S+\s+(?P<name>\w+)", own=False, inside="struct"
            ),
            LineRule("constant", r"\s*(?P<name>\w+)\s*(?:=\s*\w+)?\s*[,;]?\s*$", own=False, inside="enum"),
            LineRule("method", r"\s*(?:oneway\s+)?[\w.<>, ]+\s+(?P<name>\w+)\s*\(", own=False, inside="service"),
        ),
        line_comment=("//", "#"),
    ),
    Language(
        name="graphql",
        extensions=("graphql", "graphqls", "gql"),
        lines=(
            LineRule("type", r"(?:extend\s+)?(?:type|input|union|scalar|directive)\s+@?(?P<name>\w+)"),
            LineRule("interface", r"(?:extend\s+)?interface\s+(?P<name>\w+)"),
            LineRule("enum", r"enum\s+(?P<name>\w+)"),
            LineRule("function", r"(?:query|mutation|subscription|fragment)\s+(?P<name>\w+)"),
            LineRule("field", r"\s+(?P<name>\w+)\s*(?:\(.*)?:", own=False, inside="type|interface"),
            LineRule("constant", r"\s+(?P<name>[A-Z_]\w*)\s*$", own=False, inside="enum"),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="prisma",
        extensions=("prisma",),
        lines=(
            LineRule("struct", r"(?:model|type|datasource|generator|view)\s+(?P<name>\w+)\s*\{"),
            LineRule("enum", r"enum\s+(?P<name>\w+)\s*\{"),
            LineRule("field", r"\s+(?P<name>\w+)\s+[A-Z]\w*", own=False, inside="struct"),
            LineRule("constant", r"\s+(?P<name>\w+)\s*$", own=False, inside="enum"),
        ),
        block_comment=None,
    ),
    Language(
        name="nix",
        extensions=("nix",),
        lines=(LineRule("key", r"\s*(?P<name>[\w.\-\"]+)\s*=\s*(?:[^;]*)$", ends="indent"),),
        line_comment=_HASH,
    ),
    Language(
        name="batch",
        extensions=("bat", "cmd"),
        lines=(LineRule("function", r":(?P<name>[\w\-]+)", ends="next"),),
        line_comment=("::", "rem ", "REM "),
        block_comment=None,
    ),
    # The scanner of YAML's grammar ends the process on deeply nested files (tree-sitter-yaml 0.7.2).
    Language(
        name="yaml",
        extensions=("yml", "yaml", "cff"),
        filenames=(".clang-format", ".clang-tidy", ".yamllint"),
        lines=(
            LineRule(  # an object of Kubernetes
                "document",
                r"apiVersion:.*\nkind:[ \t]*(?P<name>\w+)(?:.*\nmetadata:.*\n[ \t]+name:[ \t]*(?P<more>[^\s#]+))?",
                ends="next",
            ),
            LineRule("item", r"\s*- (?:name|id):[ \t]*[\"']?(?P<name>[^\"'#]+)", ends="indent"),
            LineRule("key", r"\s*(?:- )?[\"']?(?P<name>[\w./\- ]+?)[\"']?:\s*(?:[#|>&!].*)?$", ends="indent"),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="ini",
        extensions=("ini", "cfg", "conf", "properties", "editorconfig", "service", "desktop", "gitconfig"),
        filenames=(".editorconfig", ".gitconfig", ".flake8", ".pylintrc", ".coveragerc"),
        lines=(LineRule("section", r"\[(?P<name>[^\]]+)\]", ends="next"),),
        line_comment=("#", ";"),
        block_comment=None,
    ),
    Language(
        name="xml",
        extensions=(
            "xml",
            "xsd",
            "xsl",
            "xslt",
            "svg",
            "csproj",
            "props",
            "targets",
            "plist",
            "storyboard",
            "xib",
            "pom",
        ),
        line_comment=(),
        block_comment=("<!--", "-->"),
    ),
    Language(
        name="text", prose=True, extensions=("txt", "text", "log", "diff", "patch"), line_comment=(), block_comment=None
    ),
)
