"""Rows of the language table for languages that are outlined by their lines.

Because they have no wheel (R, Protobuf), because theirs is larger than what it would give (OCaml: 12.9 MB), or because
a line says it all (Markdown, Make).
"""

from __future__ import annotations

from indexer.language import Language, LineRule

_HASH = ("#",)
_SEMI = (";",)
_PERCENT = ("%",)

_PROTO = (
    LineRule("message", r"\s*(?:message|extend|oneof|group)\s+(?P<name>[\w.]+)\s*\{"),
    LineRule("enum", r"\s*enum\s+(?P<name>\w+)\s*\{"),
    LineRule("service", r"\s*service\s+(?P<name>\w+)\s*\{"),
    LineRule("method", r"\s*rpc\s+(?P<name>\w+)"),
)
_GROOVY = (
    LineRule("class", r"\s*(?:(?:public|private|abstract|final|static)\s+)*(?:class|trait)\s+(?P<name>\w+)"),
    LineRule("interface", r"\s*(?:public\s+)?(?:@?interface|enum)\s+(?P<name>\w+)"),
    LineRule(
        "function",
        r"\s*(?:(?:public|private|protected|static|final|def|void|[A-Z]\w*(?:<.*?>)?)\s+)+(?P<name>\w+)\s*\([^=]*$",
    ),
    LineRule("block", r"(?P<name>\w+(?:\([^)]*\))?)\s*\{\s*$"),
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
        lines=(LineRule("stage", r"(?i:FROM)\s+(?:--\S+\s+)*(?:\S+\s+(?i:AS)\s+)?(?P<name>\S+)", ends="next"),),
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
        lines=(LineRule("struct", r"\s*(?:struct|union|exception|service|enum)\s+(?P<name>\w+)"),),
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
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="prisma",
        extensions=("prisma",),
        lines=(LineRule("struct", r"(?:model|enum|type|datasource|generator|view)\s+(?P<name>\w+)\s*\{"),),
        block_comment=None,
    ),
    Language(
        name="solidity",
        extensions=("sol",),
        lines=(
            LineRule("class", r"\s*(?:abstract\s+)?(?:contract|library|interface)\s+(?P<name>\w+)"),
            LineRule("method", r"\s*(?:function|modifier)\s+(?P<name>\w+)"),
            LineRule("constructor", r"\s*(?P<name>constructor|receive|fallback)\s*\("),
            LineRule("struct", r"\s*(?:struct|enum)\s+(?P<name>\w+)"),
        ),
    ),
    Language(
        name="r",
        extensions=("r",),
        filenames=(".Rprofile",),
        shebangs=("Rscript",),
        lines=(
            LineRule("function", r"\s*[`\"]?(?P<name>[\w.]+)[`\"]?\s*(?:<<?-|=)\s*function\s*\("),
            LineRule(
                "class",
                r"\s*(?:[\w.]+\s*<-\s*)?(?:setClass|setRefClass|R6Class)\(\s*[\"'](?P<name>[\w.]+)",
                ends="indent",
            ),
            LineRule("method", r"\s*setMethod\(\s*[\"'](?P<name>[\w.]+)", ends="indent"),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="ocaml",
        extensions=("ml", "mli", "mll", "mly"),
        shebangs=("ocaml",),
        lines=(
            LineRule("module", r"\s*module\s+(?:type\s+|rec\s+)?(?P<name>[A-Z]\w*)", ends="indent"),
            LineRule("class", r"\s*class\s+(?:virtual\s+)?(?P<name>\w+)", ends="indent"),
            LineRule(
                "type",
                r"\s*(?:type|and)\s+(?:nonrec\s+)?(?:\([^)]*\)\s*|'\w+\s+)?(?P<name>\w+)\s*(?:=|$)",
                ends="indent",
            ),
            LineRule(
                "function",
                r"\s*(?:let|and)\s+(?:rec\s+|%\w+\s+)*(?P<name>[a-z_][\w']*)[^=]*=(?!.*\bin\s*$)",
                ends="indent",
            ),
            LineRule("function", r"\s*(?:val|external|method)\s+(?:private\s+)?(?P<name>\w+)", ends="indent"),
        ),
        line_comment=(),
        block_comment=("(*", "*)"),
    ),
    Language(
        name="fsharp",
        extensions=("fs", "fsi", "fsx"),
        lines=(
            LineRule("module", r"\s*module\s+(?:rec\s+)?(?P<name>[\w.]+)\s*=", ends="indent"),
            LineRule("type", r"\s*(?:type|and)\s+(?:private\s+|internal\s+)?(?P<name>\w+)", ends="indent"),
            LineRule("function", r"\s*let\s+(?:rec\s+|inline\s+|private\s+)*(?P<name>\w+)", ends="indent"),
            LineRule(
                "method",
                r"\s*(?:static\s+)?(?:member|override|default|abstract)\s+(?:\w+\.)?(?P<name>\w+)",
                ends="indent",
            ),
        ),
        block_comment=("(*", "*)"),
    ),
    Language(
        name="elm",
        extensions=("elm",),
        lines=(
            LineRule("type", r"type\s+(?:alias\s+)?(?P<name>\w+)", ends="indent"),
            LineRule("function", r"(?P<name>[a-z]\w*)\s*:\s", ends="next"),
        ),
        line_comment=("--",),
        block_comment=("{-", "-}"),
    ),
    Language(
        name="clojure",
        extensions=("clj", "cljs", "cljc", "edn", "bb"),
        lines=(
            LineRule("function", r"\(def(?:n-?|macro|multi|method|test)\s+(?:\^\S+\s+)*(?P<name>\S+)", ends="indent"),
            LineRule("class", r"\(def(?:record|type|protocol)\s+(?P<name>\S+)", ends="indent"),
            LineRule("constant", r"\(def(?:once)?\s+(?:\^\S+\s+)*(?P<name>\S+)", ends="indent"),
            LineRule("module", r"\(ns\s+(?P<name>\S+)", ends="indent"),
        ),
        line_comment=_SEMI,
        block_comment=None,
    ),
    Language(
        name="lisp",
        extensions=("lisp", "lsp", "el", "scm", "rkt", "ss", "cl"),
        lines=(
            LineRule(
                "function",
                r"\((?:cl-)?def(?:un|macro|method|generic|subst|advice|ine-\S+)\*?\s+(?P<name>[^\s()]+)",
                ends="indent",
            ),
            LineRule("function", r"\(define\s+\(?(?P<name>[^\s()]+)", ends="indent"),
            LineRule("class", r"\(def(?:class|struct|type)\s+\(?(?P<name>[^\s()]+)", ends="indent"),
            LineRule(
                "constant",
                r"\(def(?:var|const|custom|parameter|constant|group|face)\s+(?P<name>[^\s()]+)",
                ends="indent",
            ),
        ),
        line_comment=_SEMI,
        block_comment=("#|", "|#"),
    ),
    Language(
        name="erlang",
        extensions=("erl", "hrl", "escript"),
        shebangs=("escript",),
        lines=(LineRule("function", r"(?P<name>[a-z]\w*)\(.*(?:->|,|when\b).*$|-record\(\w+", ends="indent"),),
        line_comment=_PERCENT,
        block_comment=None,
    ),
    Language(
        name="groovy",
        extensions=("groovy", "gradle", "gvy", "jenkinsfile"),
        filenames=("Jenkinsfile",),
        lines=_GROOVY,
    ),
    Language(
        name="powershell",
        extensions=("ps1", "psm1", "psd1"),
        shebangs=("pwsh",),
        lines=(
            LineRule("function", r"\s*(?i:function|filter|workflow)\s+(?P<name>[\w:\-]+)"),
            LineRule("class", r"\s*(?i:class|enum)\s+(?P<name>\w+)"),
        ),
        line_comment=_HASH,
        block_comment=("<#", "#>"),
    ),
    Language(
        name="objective-c",
        extensions=("m", "mm"),
        lines=(
            LineRule("class", r"@(?:interface|implementation|protocol)\s+(?P<name>\w+)", ends="next"),
            LineRule("method", r"[-+]\s*\([^)]*\)\s*(?P<name>\w+)[^;]*$"),
            LineRule("function", r"(?:\w[\w*]*[\s*]+)+(?P<name>\w+)\s*\([^;]*$"),
        ),
    ),
    Language(
        name="d",
        extensions=("d", "di"),
        lines=(
            LineRule("class", r"\s*(?:\w+\s+)*(?:class|struct|interface|union|template|enum)\s+(?P<name>\w+)[^;]*$"),
            LineRule(
                "function", r"\s*(?:[\w@.!\[\]()*]+\s+)+(?P<name>(?!if|for|while|switch|foreach|return)\w+)\s*\([^;]*$"
            ),
        ),
    ),
    Language(
        name="nim",
        extensions=("nim", "nims", "nimble"),
        lines=(
            LineRule(
                "function",
                r"\s*(?:proc|func|method|iterator|template|macro|converter)\s+`?(?P<name>[^\s`*(\[]+)",
                ends="indent",
            ),
            LineRule(
                "type",
                r"\s+(?P<name>[A-Z]\w*)\*?\s*(?:\[.*\])?\s*(?:\{.*\}\s*)?=\s*(?:ref |ptr )?(?:object|enum|tuple)",
                ends="indent",
            ),
        ),
        line_comment=_HASH,
        block_comment=("#[", "]#"),
    ),
    Language(
        name="crystal",
        extensions=("cr",),
        shebangs=("crystal",),
        lines=(
            LineRule("class", r"\s*(?:abstract\s+)?(?:class|struct|module|enum|lib)\s+(?P<name>[\w:]+)", ends="indent"),
            LineRule(
                "method",
                r"\s*(?:private\s+|protected\s+|abstract\s+)*(?:def|macro)\s+(?P<name>[\w.?!=]+)",
                ends="indent",
            ),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="gdscript",
        extensions=("gd",),
        lines=(
            LineRule("function", r"\s*(?:static\s+)?func\s+(?P<name>\w+)", ends="indent"),
            LineRule("class", r"\s*class\s+(?P<name>\w+)", ends="indent"),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="fortran",
        extensions=("f", "f90", "f95", "f03", "f08", "for", "ftn"),
        lines=(
            LineRule("module", r"\s*(?i:module|program)\s+(?!procedure)(?P<name>\w+)\s*$", ends="indent"),
            LineRule(
                "function",
                r"\s*(?i:(?:\w+(?:\([^)]*\))?\s+)*(?:subroutine|function))\s+(?P<name>\w+)\s*\(",
                ends="indent",
            ),
        ),
        line_comment=("!",),
        block_comment=None,
    ),
    Language(
        name="vim",
        extensions=("vim",),
        filenames=(".vimrc", "vimrc"),
        lines=(
            LineRule("function", r"\s*(?:export\s+)?(?:fu|func|function|def)!?\s+(?P<name>[\w:#.<>]+)", ends="indent"),
        ),
        line_comment=('"', "#"),
        block_comment=None,
    ),
    Language(
        name="tcl",
        extensions=("tcl",),
        shebangs=("tclsh", "wish"),
        lines=(LineRule("function", r"\s*(?:proc|method|oo::class create|namespace eval)\s+(?P<name>\S+)"),),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="awk",
        extensions=("awk",),
        shebangs=("awk", "gawk", "mawk"),
        lines=(LineRule("function", r"(?:function|func)\s+(?P<name>\w+)"), LineRule("block", r"(?P<name>BEGIN|END)\b")),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="nix",
        extensions=("nix",),
        lines=(LineRule("key", r"\s*(?P<name>[\w.\-\"]+)\s*=\s*(?:[^;]*)$", ends="indent"),),
        line_comment=_HASH,
    ),
    Language(
        name="glsl",
        extensions=("glsl", "vert", "frag", "comp", "geom", "hlsl", "fx", "wgsl", "metal"),
        lines=(
            LineRule("struct", r"\s*(?:struct|cbuffer)\s+(?P<name>\w+)"),
            LineRule("function", r"\s*(?:(?:@?[\w<>(),]+)\s+)+(?P<name>\w+)\s*\([^;]*$"),
        ),
    ),
    Language(
        name="verilog",
        extensions=("v", "sv", "svh", "vh"),
        lines=(
            LineRule("module", r"\s*(?:module|interface|package|class|program)\s+(?P<name>\w+)", ends="indent"),
            LineRule(
                "function", r"\s*(?:function|task)\s+(?:automatic\s+|\w+\s+)*?(?P<name>\w+)\s*[(;]", ends="indent"
            ),
        ),
    ),
    Language(
        name="batch",
        extensions=("bat", "cmd"),
        lines=(LineRule("function", r":(?P<name>[\w\-]+)", ends="next"),),
        line_comment=("::", "rem ", "REM "),
        block_comment=None,
    ),
    Language(
        name="assembly",
        extensions=("s", "asm"),
        lines=(LineRule("function", r"(?P<name>[A-Za-z_$][\w$.]*):", ends="next"),),
        line_comment=("#", ";", "//", "@"),
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
